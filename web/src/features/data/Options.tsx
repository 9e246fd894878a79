import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import type { Measurements } from "../../episode/types";
import { PolicyField } from "../../shared/PolicyField";
import RulesFields, { type Rules } from "../../shared/RulesFields";
import { TurnsField } from "../../shared/TaskFields";

/** What is asked of the file itself; changing it reads the file anew. */
export interface Wishes {
  title: string;
  hint: string;
  /** A share of the last rows, or of the runs; null leaves it to the server. */
  holdBack: number | null;
  second: File | null;
}

interface Props {
  wishes: Wishes;
  onWishes: (wishes: Wishes) => void;
  read: Measurements | undefined;
  ready: boolean;
  starting: boolean;
  onStart: (rules: Rules & { max_turns: number; policy: string }) => void;
}

/** What is held back, who searches, by which rules. */
export function Options({ wishes, onWishes, read, ready, starting, onStart }: Props) {
  const policies = useQuery({ queryKey: ["policies"], queryFn: api.policies });
  const [policy, setPolicy] = useState<string>();
  const [turns, setTurns] = useState(8);
  const [rules, setRules] = useState<Rules>({
    profile: "strict",
    constants: "fitted",
    functions: "extended",
    reward_mode: "total",
  });
  const chosen = policy ?? policies.data?.find((entry) => entry.is_default)?.name ?? "search";
  const held = wishes.holdBack ?? 0.25;
  const start = (who: string) => onStart({ policy: who, max_turns: turns, ...rules });
  return (
    <form
      className="panel grid gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        start(chosen);
      }}
    >
      <label>
        Title
        <input
          className="field"
          value={wishes.title}
          onChange={(event) => onWishes({ ...wishes, title: event.target.value })}
        />
      </label>
      <label>
        What moves, in a sentence
        <input
          className="field"
          placeholder="A ball dropped from a balcony."
          value={wishes.hint}
          onChange={(event) => onWishes({ ...wishes, hint: event.target.value })}
        />
      </label>
      <label>
        <span className="flex justify-between gap-2">
          Held back to check the law
          <span className="text-muted">
            {wishes.second
              ? "a second file"
              : wishes.holdBack === null
                ? `${read?.held_back_rows ?? 0} rows`
                : `${Math.round(100 * held)} %${read ? `, ${read.held_back_rows ?? 0} rows` : ""}`}
          </span>
        </span>
        <input
          type="range"
          className="w-full"
          style={{ accentColor: "var(--trained)", minHeight: 24 }}
          aria-valuetext={`${Math.round(100 * held)} percent`}
          min={0}
          max={0.5}
          step={0.05}
          disabled={wishes.second !== null}
          value={held}
          onChange={(event) => onWishes({ ...wishes, holdBack: event.target.valueAsNumber })}
        />
      </label>
      <label>
        Or a second file, kept hidden
        <input
          className="field"
          type="file"
          onChange={(event) => onWishes({ ...wishes, second: event.target.files?.[0] ?? null })}
        />
      </label>
      <PolicyField
        label="Who searches"
        policies={policies.data}
        value={chosen}
        onChange={setPolicy}
      />
      <details>
        <summary>Rules</summary>
        <div className="mt-2 grid gap-3">
          <TurnsField value={turns} onChange={setTurns} />
          <RulesFields rules={rules} onRules={(some) => setRules({ ...rules, ...some })} />
        </div>
      </details>
      <div className="flex flex-wrap gap-2">
        <button type="submit" className="button primary grow" disabled={!ready || starting}>
          {starting ? "Starting" : "Find the law"}
        </button>
        <button
          type="button"
          className="button"
          disabled={!ready || starting}
          onClick={() => start("you")}
        >
          By hand
        </button>
      </div>
      {read && !ready && !starting && (
        <p className="text-xs text-muted">What is marked ✕ has to be decided first.</p>
      )}
    </form>
  );
}
