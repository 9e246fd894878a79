import type { Problem } from "../../episode/types";
import { sorted } from "./reading";

const SHAPES: Record<Problem["severity"], { mark: string; colour: string; word: string }> = {
  error: { mark: "✕", colour: "text-danger", word: "To decide first" },
  warning: { mark: "▲", colour: "text-warn", word: "Changed or doubtful" },
  note: { mark: "•", colour: "text-muted", word: "How it was read" },
};

/** Everything there is to say of a file before anything runs: what, where, and what would be right. */
export function Problems({ problems, lines }: { problems: readonly Problem[]; lines: string[] }) {
  if (problems.length === 0)
    return (
      <p className="panel text-ok">
        <span aria-hidden="true">✓ </span>Nothing stands in the way.
      </p>
    );
  return (
    <section className="panel grid gap-2" aria-label="What was found">
      <h2>What was found</h2>
      <ul className="grid gap-3">
        {sorted(problems).map((problem) => {
          const { mark, colour, word } = SHAPES[problem.severity];
          const text = problem.line === null ? undefined : lines[problem.line - 1];
          return (
            <li key={`${problem.message} ${problem.line}`} className="flex gap-2">
              <span aria-hidden="true" className={colour}>
                {mark}
              </span>
              <div className="min-w-0 grow">
                <p>
                  <span className="sr-only">{word}: </span>
                  {problem.message}
                </p>
                {text !== undefined && (
                  <pre className="overflow-x-auto text-xs text-muted" tabIndex={0}>
                    {problem.line}: {text.slice(0, 200)}
                  </pre>
                )}
                {problem.remedy && <p className="text-xs text-muted">{problem.remedy}</p>}
              </div>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
