import type { EpisodeConfig, Trial } from "../../episode/types";
import { Typeset } from "../../viz";
import { share } from "../../viz/format";

interface Props {
  trial: Trial | null;
  written: string;
  config: EpisodeConfig;
  /** Called with a slip of the pen and the word that was meant. */
  onMeant: (slip: string, word: string) => void;
}

/** What the server makes of the text while it is written; nothing of it spends a turn. */
export function Verdict({ trial, written, config, onMeant }: Props) {
  const rejection = trial?.trial.parse.rejection;
  return (
    <div id="verdict" aria-live="polite" className="grid gap-1" style={{ minHeight: 64 }}>
      {!trial && (
        <p className="text-xs text-muted">
          Write the right side of each equation; <code>^</code>, <code>θ</code> and a whole equation
          are read, too. Any other name is a constant and gets a slider.
        </p>
      )}
      {trial && rejection && (
        <Refused equation={trial.equation} column={rejection.column} message={rejection.message} />
      )}
      {trial && Object.entries(trial.meant).length > 0 && (
        <p className="flex flex-wrap items-center gap-2">
          {Object.entries(trial.meant).map(([slip, word]) => (
            <button key={slip} type="button" className="chip" onClick={() => onMeant(slip, word)}>
              {slip}: did you mean <strong>{word}</strong>?
            </button>
          ))}
        </p>
      )}
      {trial && !rejection && <Read trial={trial} written={written} config={config} />}
    </div>
  );
}

function Read({
  trial: { equation, trial },
  written,
  config,
}: Omit<Props, "trial" | "onMeant"> & { trial: Trial }) {
  const weights = config.verifier;
  const worth = weights?.weight_simplicity ?? 0.2;
  const { operators, latex, units_message } = trial.parse;
  return (
    <>
      <Typeset latex={latex ?? ""} source={equation} of="the preview" />
      {squeezed(equation) !== squeezed(written) && (
        <p className="text-xs text-muted">
          Read as <code>{equation}</code>
        </p>
      )}
      <p className="text-xs text-muted">
        {operators} {operators === 1 ? "operator" : "operators"}: simplicity{" "}
        {share(trial.simplicity)}, worth {share(worth * trial.simplicity)} of {share(worth)} in the
        reward{trial.simplicity > 0 && `; each more costs ${(worth / 20).toFixed(3)}`}.{" "}
        {units_message}
        {trial.simulation.outcome !== "ok" && ` ${trial.simulation.message}`}
      </p>
    </>
  );
}

const squeezed = (text: string) => text.replace(/\s+/g, "");

interface RefusedProps {
  equation: string;
  column: number;
  message: string;
}

/** Why the text is no hypothesis, with the offending column underlined. */
function Refused({ equation, column, message }: RefusedProps) {
  return (
    <>
      <pre className="overflow-x-auto whitespace-pre-wrap">
        {equation.slice(0, Math.max(0, column - 1))}
        <u style={{ textDecorationColor: "var(--danger)", textDecorationThickness: 2 }}>
          {equation.slice(Math.max(0, column - 1), column) || " "}
        </u>
        {equation.slice(column)}
      </pre>
      {/* The code before the colon is for programs. */}
      <p className="text-danger">{message.replace(/^[a-z_]+: /, "")}</p>
    </>
  );
}
