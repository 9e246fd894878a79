import type { TurnView } from "../episode/types";
import { share } from "./format";
import { Range } from "./Range";

interface TimelineRow {
  label: string;
  turns: TurnView[];
  finished: boolean;
}

interface Props {
  rows: TimelineRow[];
  maxTurns: number;
  current: number | null;
  live: boolean;
  /** The last turn there is, where the rows do not yet show it. */
  newest?: number;
  following: boolean;
  /** Whether each turn plays once before the next is shown. */
  slow?: boolean;
  onSelect: (turn: number) => void;
  onFollow: () => void;
  onSlow?: (slow: boolean) => void;
}

const FAILED: Record<string, string> = { not_parsed: "parse", ok: "", budget_exhausted: "stiff" };

/** One row an episode, one cell a budgeted turn: the match over a proportional fill, or the failure in a word. */
export function TurnTimeline(props: Props) {
  const { rows, maxTurns, current, live, following, slow = false, onSelect, onFollow } = props;
  const reached = Math.max(0, ...rows.map((row) => row.turns.length));
  const newest = props.newest ?? reached;
  const several = rows.length > 1;
  const follow = (
    <Follow {...{ following, live, newest, current, slow, onFollow }} onSlow={props.onSlow} />
  );
  return (
    <fieldset className="grid gap-1" aria-label="Turns">
      {rows.map((row) => (
        <div key={row.label} className="flex flex-wrap items-center gap-x-2 sm:flex-nowrap">
          {several && (
            <span className="w-28 shrink-0 truncate text-xs text-muted">{row.label}</span>
          )}
          <section
            className="flex min-w-0 flex-1 basis-full gap-1 overflow-x-auto p-1 sm:basis-0"
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
          {!several && follow}
        </div>
      ))}
      {several && (
        <div className="flex items-center gap-2">
          <label className="flex min-w-0 flex-1 items-center gap-2 text-xs text-muted">
            Turn
            <Range
              className="flex-1"
              min={1}
              max={Math.max(1, reached)}
              disabled={reached === 0}
              value={Math.min(current ?? reached, reached)}
              onChange={onSelect}
            />
          </label>
          {follow}
        </div>
      )}
    </fieldset>
  );
}

interface FollowProps {
  following: boolean;
  live: boolean;
  newest: number;
  current: number | null;
  slow: boolean;
  onFollow: () => void;
  onSlow: ((slow: boolean) => void) | undefined;
}

/** The way back to the newest turn, and the pace at which turns come; in a place of its own, so that nothing jumps. */
function Follow({ following, live, newest, current, slow, onFollow, onSlow }: FollowProps) {
  const away = !following && newest > 0 && newest !== current;
  return (
    <div className="ml-auto flex shrink-0 items-center gap-2">
      <button
        type="button"
        className="button"
        style={{ visibility: away ? "visible" : "hidden" }}
        onClick={onFollow}
      >
        {live ? "Follow live" : `Jump to turn ${newest}`}
      </button>
      {onSlow && (
        <button
          type="button"
          className="button"
          aria-pressed={slow}
          title="Each turn plays once before the next is shown"
          onClick={() => onSlow(!slow)}
        >
          {slow ? "✓ Slow" : "Slow"}
        </button>
      )}
    </div>
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
