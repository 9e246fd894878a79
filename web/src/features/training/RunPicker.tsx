import type { RunSummary } from "../../episode/types";
import { MOST_SMOOTH } from "../../shared/search";
import { MOST_CURVES, Range } from "../../viz";

interface Props {
  runs: RunSummary[];
  chosen: string[];
  smooth: number;
  onChosen: (ids: string[]) => void;
  onSmooth: (value: number) => void;
}

/** Chooses as many runs as can be told apart, and how smooth their curves are. */
export function RunPicker({ runs, chosen, smooth, onChosen, onSmooth }: Props) {
  return (
    <form className="panel grid gap-3">
      <fieldset className="grid gap-2">
        <legend>Runs</legend>
        {runs.map((run) => (
          <label key={run.id} className="flex items-start gap-2">
            <input
              type="checkbox"
              className="mt-1"
              checked={chosen.includes(run.id)}
              onChange={(e) =>
                onChosen(
                  e.target.checked
                    ? [...chosen, run.id].slice(-MOST_CURVES)
                    : chosen.filter((id) => id !== run.id),
                )
              }
            />
            <span>
              {run.id}{" "}
              <span className="text-xs text-muted">
                {run.kind}, {run.status.replace("_", " ")}, {run.steps} steps, seed {run.seed},{" "}
                {new Date(run.started_at).toLocaleDateString()}
              </span>
            </span>
          </label>
        ))}
      </fieldset>
      <label>
        Smoothing {smooth.toFixed(2)}
        <Range
          className="w-full"
          min={0}
          max={MOST_SMOOTH}
          step={0.05}
          value={smooth}
          onChange={onSmooth}
        />
      </label>
    </form>
  );
}
