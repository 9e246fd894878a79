import type { TurnView } from "../episode/types";
import { share } from "./format";

export interface TimelineRow {
  label: string;
  turns: TurnView[];
  finished: boolean;
}

interface Props {
  rows: TimelineRow[];
  maxTurns: number;
  current: number | null;
  live: boolean;
  following: boolean;
  onSelect: (turn: number) => void;
  onFollow: () => void;
}

const FAILED: Record<string, string> = { not_parsed: "parse", ok: "", budget_exhausted: "stiff" };

/** One row an episode, one cell a budgeted turn: the match over a proportional fill, or the failure in a word. */
export function TurnTimeline({
  rows,
  maxTurns,
  current,
  live,
  following,
  onSelect,
  onFollow,
}: Props) {
  const newest = Math.max(0, ...rows.map((row) => row.turns.length));
  return (
    <fieldset className="grid gap-2" aria-label="Turns">
      {rows.map((row) => (
        <div key={row.label} className="flex items-center gap-2">
          {rows.length > 1 && (
            <span className="w-28 shrink-0 truncate text-xs text-muted">{row.label}</span>
          )}
          <section
            className="flex min-w-0 flex-1 gap-1 overflow-x-auto p-1"
            aria-label={`Turns of ${row.label}`}
          >
            {Array.from({ length: maxTurns }, (_, i) => (
              <Cell
                key={i}
                number={i + 1}
                turn={row.turns[i]}
                current={current === i + 1}
                onSelect={onSelect}
              />
            ))}
          </section>
        </div>
      ))}
      {rows.length > 1 && newest > 0 && (
        <label className="flex items-center gap-2 text-xs text-muted">
          Turn
          <input
            type="range"
            className="flex-1"
            min={1}
            max={newest}
            value={Math.min(current ?? newest, newest)}
            onChange={(e) => onSelect(e.target.valueAsNumber)}
          />
        </label>
      )}
      {!following && newest > 0 && newest !== current && (
        <button type="button" className="button justify-self-start" onClick={onFollow}>
          {live ? "Follow live" : `Jump to turn ${newest}`}
        </button>
      )}
    </fieldset>
  );
}

interface CellProps {
  number: number;
  turn: TurnView | undefined;
  current: boolean;
  onSelect: (turn: number) => void;
}

function Cell({ number, turn, current, onSelect }: CellProps) {
  if (!turn) {
    return (
      <span
        aria-hidden="true"
        className="h-9 min-w-14 flex-1 rounded"
        style={{ border: "1px dashed var(--line)" }}
      />
    );
  }
  const failure = FAILED[turn.simulation.outcome] ?? "diverged";
  const fill = `linear-gradient(to top, color-mix(in srgb, var(--match) 30%, transparent) ${100 * turn.reward.match}%, transparent 0)`;
  return (
    <button
      type="button"
      aria-pressed={current}
      aria-label={`Turn ${number}: ${failure || `match ${share(turn.reward.match)}`}`}
      onClick={() => onSelect(number)}
      className="h-9 min-w-14 flex-1 rounded text-ink"
      style={{
        border: current ? "2px solid var(--ink)" : "1px solid var(--control)",
        background: fill,
      }}
    >
      {failure || share(turn.reward.match)}
    </button>
  );
}
