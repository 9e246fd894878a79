import { useState } from "react";
import { figure } from "../../viz/format";
import type { Curves } from "./curves";
import { StepEpisodes } from "./StepEpisodes";

interface Props {
  run: Curves;
  names: string[];
  /** It is one run, whose steps may have episodes, not a mean over several. */
  logged: boolean;
}

/** What a run was, and its values as a table. */
export function Facts({ run, names, logged }: Props) {
  const [open, setOpen] = useState(false);
  const own = names.filter((name) => run.series[name]);
  const stride = Math.max(1, Math.ceil(run.steps.length / 50));
  return (
    <details className="panel" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{run.run.id}: settings and values as a table</summary>
      <p className="mt-2 text-muted">
        Model {run.run.model}, profile {run.run.profile}, backend {run.run.backend} (
        {run.backend_reason}), revision {run.git_revision ?? "unknown"}.
      </p>
      {run.notes.map((note) => (
        <p key={note} className="notice">
          {note}
        </p>
      ))}
      <section className="overflow-x-auto" aria-label={`Values of ${run.run.id}`} tabIndex={0}>
        <table className="text-xs">
          <thead>
            <tr>
              {["step", ...(logged ? ["episodes"] : []), ...own].map((name) => (
                <th key={name} scope="col" className="px-2 text-right">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {run.steps.map((step, i) =>
              i % stride ? null : (
                <tr key={step}>
                  <td className="px-2 text-right">{step}</td>
                  {logged && (
                    <td className="px-2 text-right whitespace-nowrap">
                      {open && <StepEpisodes run={run.run.id} step={step} />}
                    </td>
                  )}
                  {own.map((name) => {
                    const value = run.series[name]?.[i];
                    return (
                      <td key={name} className="px-2 text-right">
                        {value == null ? "–" : figure(value)}
                      </td>
                    );
                  })}
                </tr>
              ),
            )}
          </tbody>
        </table>
      </section>
    </details>
  );
}
