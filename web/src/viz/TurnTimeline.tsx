import type { TurnView } from "../episode/types";
import { share } from "./format";

interface Props {
  turns: TurnView[];
  maxTurns: number;
  current: number | null;
  live: boolean;
  following: boolean;
  onSelect: (turn: number) => void;
  onFollow: () => void;
}

const FAILED: Record<string, string> = { not_parsed: "parse", ok: "", budget_exhausted: "stiff" };

/** One cell a budgeted turn: the match over a proportional fill, or the failure in a word. */
export function TurnTimeline({
  turns,
  maxTurns,
  current,
  live,
  following,
  onSelect,
  onFollow,
}: Props) {
  const slots = Array.from({ length: maxTurns }, (_, i) => turns[i]);
  const newest = turns.at(-1);
  return (
    <fieldset className="grid gap-2" aria-label="Turns">
      <div className="flex gap-1 overflow-x-auto p-1">
        {slots.map((turn, i) => {
          const number = i + 1;
          if (!turn) {
            return (
              <span
                key={number}
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
              key={number}
              aria-pressed={number === current}
              aria-label={`Turn ${number}: ${failure || `match ${share(turn.reward.match)}`}`}
              onClick={() => onSelect(number)}
              className="h-9 min-w-14 flex-1 rounded text-ink"
              style={{
                border: number === current ? "2px solid var(--ink)" : "1px solid var(--control)",
                background: fill,
              }}
            >
              {failure || share(turn.reward.match)}
            </button>
          );
        })}
      </div>
      {!following && newest && newest.turn !== current && (
        <button type="button" className="button justify-self-start" onClick={onFollow}>
          {live ? "Follow live" : `Jump to turn ${newest.turn}`}
        </button>
      )}
    </fieldset>
  );
}
