import { useQueries, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import { Failure, Loading } from "../../shared/parts";
import type { TrainingSearch } from "../../shared/search";
import { Range, save } from "../../viz";
import { extent } from "../../viz/scale";
import { Charts } from "./Charts";
import { type Curves, grouped, measuredOn, toCsv } from "./curves";
import { Facts } from "./Facts";
import { RunPicker } from "./RunPicker";
import { StepEpisodes } from "./StepEpisodes";

// In this order, then whatever else a run has written.
const FIRST = ["reward", "match", "progress", "simplicity", "format", "correctness", "match_dense"];
const THEN = [
  "loss",
  "kl",
  "completion_length",
  "completions/mean_length",
  "parse_rate",
  "solved_rate",
  "solved",
  "turns",
  "entropy",
];
const isMain = (name: string) => FIRST.includes(name) || THEN.includes(name);

interface Props {
  search: TrainingSearch;
  onSearch: (search: TrainingSearch) => void;
}

/** Training runs as curves: reward first, one small chart a quantity, one cursor over all. */
export default function Training({ search, onSearch }: Props) {
  const runs = useQuery({ queryKey: ["runs"], queryFn: api.runs });
  const chosen = search.runs?.split(",") ?? runs.data?.items.slice(0, 2).map((run) => run.id) ?? [];
  const metrics = useQueries({
    queries: chosen.map((id) => ({ queryKey: ["run", id], queryFn: () => api.run(id) })),
  });
  const [pointed, setPointed] = useState<number | null>(null);
  const step = pointed ?? search.step ?? null;
  const smooth = search.smooth ?? 0.6;
  if (runs.isLoadingError) return <Failure error={runs.error} again={() => runs.refetch()} />;
  if (!runs.data) return <Loading what="the runs" height={400} />;
  if (runs.data.items.length === 0)
    return (
      <p>
        No training runs yet. <code>make nano</code> trains a model of a million parameters on this
        machine, <code>physix train grpo --help</code> tells the rest; their curves appear here.
      </p>
    );
  const single = metrics.flatMap((query) => (query.data ? [query.data] : []));
  const together = grouped(single);
  const groups = together.length < single.length;
  const loaded: Curves[] = search.group === 1 ? together : single;
  const names = [...new Set(loaded.flatMap((run) => Object.keys(run.series)))];
  const ordered = [
    ...[...FIRST, ...THEN].filter((name) => names.includes(name)),
    ...names.filter((name) => !FIRST.includes(name) && !THEN.includes(name)).sort(),
  ];
  const on = (where: ReturnType<typeof measuredOn>) =>
    ordered.filter((name) => measuredOn(name) === where);
  const [from, to] = extent(loaded.flatMap((run) => run.steps));
  const shared = {
    loaded,
    smooth,
    step,
    onPoint: setPointed,
    onKeep: (kept: number) => onSearch({ ...search, step: kept }),
  };
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[320px_minmax(0,1fr)]">
      <RunPicker
        runs={runs.data.items}
        chosen={chosen}
        smooth={smooth}
        onChosen={(ids) => onSearch({ ...search, runs: ids.join(",") })}
        onSmooth={(value) => onSearch({ ...search, smooth: value })}
      />
      <div className="grid gap-4">
        {metrics.map((query) =>
          query.error ? <Failure key={query.error.message} error={query.error} /> : null,
        )}
        <p className="flex min-h-8 flex-wrap items-center gap-x-4 text-muted">
          <span>
            {step === null
              ? "Point at a curve to read a step, click to keep it."
              : `Step ${step}${step === search.step ? "" : ", click to keep it"}`}
          </span>
          <Range
            aria-label="Step"
            min={from}
            max={to}
            value={step ?? from}
            onChange={shared.onKeep}
          />
          {search.step !== undefined &&
            single.map(({ run }) => (
              <StepEpisodes key={run.id} run={run.id} step={search.step ?? 0} named />
            ))}
        </p>
        <p className="flex flex-wrap items-center gap-3">
          {groups && (
            <label className="flex items-center gap-2">
              <input
                type="checkbox"
                checked={search.group === 1}
                onChange={(event) =>
                  onSearch({ ...search, group: event.target.checked ? 1 : undefined })
                }
              />
              Mean over seeds, with the least and the most as a band
            </label>
          )}
          <button
            type="button"
            className="chip"
            onClick={() => save("training.csv", new Blob([toCsv(loaded)], { type: "text/csv" }))}
          >
            Save values as CSV
          </button>
        </p>
        <Charts title="Trained systems" names={on("training").filter(isMain)} {...shared} />
        {on("watched").length > 0 && (
          <Charts title="Trained systems, on tasks kept apart" names={on("watched")} {...shared} />
        )}
        {on("held out").length > 0 ? (
          <Charts title="Held-out systems" names={on("held out")} {...shared} />
        ) : (
          <p className="text-xs text-muted">
            {single.length > 0 && "None of these runs measured itself on held-out systems."}
          </p>
        )}
        <details>
          <summary>Everything else that the runs measured</summary>
          <Charts
            title="Other measurements"
            names={on("training").filter((name) => !isMain(name))}
            {...shared}
          />
        </details>
        {loaded.map((run) => (
          <Facts key={run.run.id} run={run} names={ordered} logged={search.group !== 1} />
        ))}
      </div>
    </div>
  );
}
