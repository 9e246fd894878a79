import { useQueries, useQuery } from "@tanstack/react-query";
import { type MouseEvent, useMemo, useRef, useState } from "react";
import { api } from "../../api/client";
import type { RunSummary } from "../../episode/types";
import { Failure, Loading } from "../../shared/parts";
import { MOST_SMOOTH, type TrainingSearch } from "../../shared/search";
import { save } from "../../viz";
import { figure } from "../../viz/format";
import { pictureOf, toPng } from "../../viz/picture";
import { extent, scale, ticks } from "../../viz/scale";
import { useWidth } from "../../viz/useSize";
import {
  type Curves,
  grouped,
  hackingBands,
  labels,
  smoothed,
  spread,
  titleOf,
  toCsv,
} from "./curves";
import { StepEpisodes } from "./StepEpisodes";

const HEIGHT = 130;
const LEFT = 48;
const RIGHT = 90;
const BOTTOM = 22;
// Told apart by colour and by dash, and named wherever a value is read.
const STYLES = [
  { colour: "var(--trained)", dash: undefined },
  { colour: "var(--untrained)", dash: "7 4" },
  { colour: "var(--residual)", dash: "2 3" },
  { colour: "var(--simplicity)", dash: "10 3 2 3" },
  { colour: "var(--progress)", dash: "4 2" },
  { colour: "var(--format)", dash: "12 4" },
  { colour: "var(--ok)", dash: "1 2" },
  { colour: "var(--ink)", dash: "6 2 2 2" },
];
const styleOf = (k: number) =>
  STYLES[k % STYLES.length] ?? { colour: "var(--ink)", dash: undefined };
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
const HELD_OUT = /held|heldout|tier_?3/i;

const isMain = (name: string) =>
  FIRST.includes(name) || THEN.includes(name) || name.startsWith("eval");

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
  if (runs.error) return <Failure error={runs.error} again={() => runs.refetch()} />;
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
  const apart = ordered.filter((name) => HELD_OUT.test(name));
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
          <input
            type="range"
            aria-label="Step"
            min={Math.min(...loaded.flatMap((run) => run.steps))}
            max={Math.max(...loaded.flatMap((run) => run.steps))}
            value={step ?? 0}
            onChange={(e) => shared.onKeep(e.target.valueAsNumber)}
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
        <Charts
          title="Trained systems"
          names={ordered.filter((name) => !apart.includes(name) && isMain(name))}
          {...shared}
        />
        {apart.length > 0 && <Charts title="Held-out systems" names={apart} {...shared} />}
        <details>
          <summary>Everything else that the runs measured</summary>
          <Charts
            title="Other measurements"
            names={ordered.filter((name) => !apart.includes(name) && !isMain(name))}
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

interface PickerProps {
  runs: RunSummary[];
  chosen: string[];
  smooth: number;
  onChosen: (ids: string[]) => void;
  onSmooth: (value: number) => void;
}

function RunPicker({ runs, chosen, smooth, onChosen, onSmooth }: PickerProps) {
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
                    ? [...chosen, run.id].slice(-STYLES.length)
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
        <input
          className="w-full"
          type="range"
          min={0}
          max={MOST_SMOOTH}
          step={0.05}
          value={smooth}
          onChange={(e) => onSmooth(e.target.valueAsNumber)}
        />
      </label>
    </form>
  );
}

interface ChartsProps {
  title: string;
  names: string[];
  loaded: Curves[];
  smooth: number;
  step: number | null;
  onPoint: (step: number | null) => void;
  onKeep: (step: number) => void;
}

function Charts({ title, names, loaded, ...rest }: ChartsProps) {
  const box = useRef<HTMLDivElement>(null);
  const [failed, setFailed] = useState(false);
  const png = async () => {
    if (!box.current) return;
    const lines = [loaded.map(({ run }) => run.id).join(", ")];
    try {
      save("training.png", await toPng(pictureOf(box.current, { title, lines })));
      setFailed(false);
    } catch {
      setFailed(true);
    }
  };
  return (
    <section className="panel grid gap-3" aria-label={title}>
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2>{title}</h2>
        <span className="flex items-center gap-2">
          {failed && <span className="text-xs text-danger">The browser could not draw it.</span>}
          <button type="button" className="chip" onClick={png}>
            Save as PNG
          </button>
        </span>
      </div>
      <div
        ref={box}
        className="grid gap-4"
        style={{ gridTemplateColumns: "repeat(auto-fill, minmax(min(100%, 300px), 1fr))" }}
      >
        {names.map((name) => (
          <Curve key={name} name={name} loaded={loaded} {...rest} />
        ))}
      </div>
    </section>
  );
}

function Curve({
  name,
  loaded,
  smooth,
  step,
  onPoint,
  onKeep,
}: Omit<ChartsProps, "title" | "names"> & { name: string }) {
  const box = useRef<HTMLElement>(null);
  const width = useWidth(box);
  const curves = useMemo(
    () =>
      loaded.flatMap((run, k) => {
        const raw = run.series[name];
        return raw ? [{ run, k, raw, even: smoothed(raw, smooth) }] : [];
      }),
    [loaded, name, smooth],
  );
  const steps = extent(curves.flatMap(({ run }) => run.steps));
  const range = extent(
    curves
      .flatMap(({ run, raw }) => [raw, run.low?.[name] ?? [], run.high?.[name] ?? []])
      .flatMap((values) => values.filter((value) => value !== null)),
  );
  const x = scale(...steps, LEFT, Math.max(LEFT + 1, width - RIGHT));
  const y = scale(...range, HEIGHT - BOTTOM, 24);
  const stepAt = ({ clientX, currentTarget }: MouseEvent<SVGSVGElement>) => {
    const share =
      (clientX - currentTarget.getBoundingClientRect().left - LEFT) / (width - LEFT - RIGHT);
    return Math.round(steps[0] + Math.min(1, Math.max(0, share)) * (steps[1] - steps[0]));
  };
  const names = labels(loaded.map(({ run }) => run.id));
  const places = spread(
    curves.map(({ even }) => y([...even].reverse().find((value) => value !== null) ?? 0) + 4),
    24,
    HEIGHT - BOTTOM,
  );
  const path = (run: Curves, values: (number | null)[]) =>
    values
      .flatMap((value, i) =>
        value === null ? [] : [`${x(run.steps[i] ?? 0).toFixed(1)} ${y(value).toFixed(1)}`],
      )
      .map((at, i) => `${i ? "L" : "M"}${at}`)
      .join("");
  const bandOf = (run: Curves, low: (number | null)[], high: (number | null)[]) => {
    const there = run.steps.map((_, i) => i).filter((i) => low[i] != null && high[i] != null);
    const place = (values: (number | null)[]) => (i: number) =>
      `${x(run.steps[i] ?? 0).toFixed(1)} ${y(values[i] ?? 0).toFixed(1)}`;
    const [over, under] = [there.map(place(high)), there.reverse().map(place(low))];
    return over.length > 0 ? `M${[...over, ...under].join("L")}Z` : "";
  };
  return (
    <figure ref={box} className="min-w-0">
      {width >= 60 && (
        <svg
          width={width}
          height={HEIGHT}
          role="img"
          aria-label={describe(name, curves)}
          onPointerMove={(event) => onPoint(stepAt(event))}
          onPointerLeave={() => onPoint(null)}
          onPointerUp={(event) => onKeep(stepAt(event))}
        >
          <text x={4} y={14} fontSize="12" fill="var(--ink)">
            {titleOf(name)}
          </text>
          {curves.map(({ run, k }) =>
            hackingBands(run.steps, run.series, name).map(([from, to]) => (
              <rect
                key={`${k} ${from}`}
                x={x(from)}
                width={Math.max(2, x(to) - x(from))}
                y={24}
                height={HEIGHT - BOTTOM - 24}
                fill="color-mix(in srgb, var(--warn) 25%, transparent)"
              >
                <title>rises while match falls</title>
              </rect>
            )),
          )}
          <g fontSize="11" fill="var(--muted)">
            {ticks(y.min, y.max, 3).map((value) => (
              <g key={value}>
                <line x1={LEFT} x2={x(x.max)} y1={y(value)} y2={y(value)} stroke="var(--line)" />
                <text x={LEFT - 6} y={y(value) + 4} textAnchor="end">
                  {figure(value, 2)}
                </text>
              </g>
            ))}
            {ticks(x.min, x.max, 5).map((value) => (
              <text key={value} x={x(value)} y={HEIGHT - 6} textAnchor="middle">
                {figure(value)}
              </text>
            ))}
            <text x={x(x.max) + 4} y={HEIGHT - 6}>
              step
            </text>
          </g>
          {curves.map(({ run, k, raw, even }, i) => (
            <g key={run.run.id} fill="none" stroke={styleOf(k).colour}>
              {run.low?.[name] && run.high?.[name] ? (
                <path
                  d={bandOf(run, run.low[name], run.high[name])}
                  fill={`color-mix(in srgb, ${styleOf(k).colour} 18%, transparent)`}
                  stroke="none"
                />
              ) : (
                <path d={path(run, raw)} opacity={0.25} />
              )}
              <path d={path(run, even)} strokeWidth={2} strokeDasharray={styleOf(k).dash} />
              <text
                x={x(x.max) + 4}
                y={places[i]}
                fontSize="11"
                stroke="none"
                fill={styleOf(k).colour}
              >
                {names[k]}
              </text>
            </g>
          ))}
          {step !== null && step >= steps[0] && step <= steps[1] && (
            <g>
              <line
                x1={x(step)}
                x2={x(step)}
                y1={20}
                y2={HEIGHT - BOTTOM}
                stroke="var(--control)"
              />
              {curves.map(({ run, k, even }) => {
                const value = even[nearest(run.steps, step)];
                return value == null ? null : (
                  <text
                    key={run.run.id}
                    x={width - 4}
                    y={14 + 12 * k}
                    fontSize="11"
                    textAnchor="end"
                    fill={styleOf(k).colour}
                    stroke="var(--surface)"
                    strokeWidth="3"
                    paintOrder="stroke"
                  >
                    {names[k]} {figure(value)}
                  </text>
                );
              })}
            </g>
          )}
        </svg>
      )}
    </figure>
  );
}

const nearest = (steps: number[], step: number) =>
  steps.reduce(
    (best, value, i) => (Math.abs(value - step) < Math.abs((steps[best] ?? 0) - step) ? i : best),
    0,
  );

function describe(name: string, curves: { run: Curves; raw: (number | null)[] }[]): string {
  const parts = curves.map(({ run, raw }) => {
    const values = raw.filter((value) => value !== null);
    return `${run.run.id} from ${figure(values[0] ?? 0)} to ${figure(values.at(-1) ?? 0)}`;
  });
  return `${titleOf(name)}: ${parts.join("; ")}`;
}

interface FactsProps {
  run: Curves;
  names: string[];
  /** It is one run, whose steps may have episodes, not a mean over several. */
  logged: boolean;
}

/** What a run was, and its values as a table. */
function Facts({ run, names, logged }: FactsProps) {
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
