import type { RunMetrics } from "../../episode/types";

const LONG = 20; // steps for which something must last before it is marked
const COMPONENTS = new Set(["progress", "simplicity", "format", "correctness", "match_dense"]);

/** An exponential mean that skips holes and starts at the first value; 0 leaves the values as they are. */
export function smoothed(values: (number | null)[], weight: number): (number | null)[] {
  let mean: number | null = null;
  return values.map((value) => {
    if (value === null) return mean;
    mean = mean === null ? value : weight * mean + (1 - weight) * value;
    return mean;
  });
}

/** Stretches of more than 20 steps in which a component of the reward rises while match falls. */
export function hackingBands(
  steps: number[],
  series: Record<string, (number | null)[]>,
  name: string,
): [number, number][] {
  const match = series.match;
  const component = series[name];
  if (!COMPONENTS.has(name) || !match || !component) return [];
  const [m, c] = [smoothed(match, 0.9), smoothed(component, 0.9)];
  const bands: [number, number][] = [];
  let from: number | null = null;
  for (let i = 1; i <= steps.length; i++) {
    const falls = (m[i] ?? 0) < (m[i - 1] ?? 0) && (c[i] ?? 0) > (c[i - 1] ?? 0);
    if (i < steps.length && falls) from ??= i - 1;
    else if (from !== null) {
      const [begin, end] = [steps[from] ?? 0, steps[i - 1] ?? 0];
      if (end - begin > LONG) bands.push([begin, end]);
      from = null;
    }
  }
  return bands;
}

const TITLES: Record<string, string> = {
  kl: "KL to the reference model",
  "completions/mean_length": "tokens in a completion",
  completion_length: "tokens in a completion",
  match_dense: "match, square root",
  solved: "share solved",
  solved_rate: "share solved",
  turns: "turns in an episode",
};

/** What a metric is measured on: the episodes that are learnt from, tasks kept to watch by, systems never learnt from. */
export function measuredOn(name: string): "training" | "watched" | "held out" {
  if (/^(held[-_ ]?out)[/_]/i.test(name)) return "held out";
  return /^(eval|val)[/_]/.test(name) ? "watched" : "training";
}

/** A metric's name in words. */
export function titleOf(name: string): string {
  const bare = measuredOn(name) === "training" ? name : name.replace(/^[^/_]+[/_]/, "");
  const within = bare.match(/^solved@(\d+)$/);
  if (within) return `share solved within ${within[1]} ${within[1] === "1" ? "turn" : "turns"}`;
  return TITLES[bare] ?? bare.replace(/[_/]/g, " ");
}

/** The place of the value nearest to a step; undefined where there is none. */
export function nearestValue(
  steps: readonly number[],
  values: readonly (number | null)[],
  step: number,
): number | undefined {
  let best: number | undefined;
  for (const [i, at] of steps.entries()) {
    if (values[i] == null) continue;
    if (best === undefined || Math.abs(at - step) < Math.abs((steps[best] ?? 0) - step)) best = i;
  }
  return best;
}

/** A run, or several that differ in their seed alone, as curves: the mean, and the least and most at each step. */
export type Curves = RunMetrics & {
  low?: RunMetrics["series"];
  high?: RunMetrics["series"];
};

/** What a run is called without its seed. */
export const configurationOf = (id: string) => id.replace(/[-_.]?s(?:eed)?[-_]?\d+$/i, "");

/** Runs of one configuration together: by name without the seed, kind, model and profile. */
export function grouped(runs: readonly RunMetrics[]): Curves[] {
  const groups = new Map<string, RunMetrics[]>();
  for (const one of runs) {
    const { id, kind, model, profile } = one.run;
    const key = [configurationOf(id), kind, model, profile].join("\0");
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map(meanOf);
}

function meanOf(members: RunMetrics[]): Curves {
  const [first] = members;
  if (!first) throw new Error("a group has a run");
  if (members.length === 1) return first;
  const steps = [...new Set(members.flatMap((run) => run.steps))].sort((a, b) => a - b);
  const places = members.map((run) => new Map(run.steps.map((step, i) => [step, i])));
  const at = (name: string, step: number) =>
    members.flatMap((run, k): number[] => {
      const place = places[k]?.get(step);
      const value = place === undefined ? null : run.series[name]?.[place];
      return value == null ? [] : [value];
    });
  const names = [...new Set(members.flatMap((run) => Object.keys(run.series)))];
  const over = (fold: (values: number[]) => number) =>
    Object.fromEntries(
      names.map((name) => [
        name,
        steps.map((step) => {
          const values = at(name, step);
          return values.length > 0 ? fold(values) : null;
        }),
      ]),
    );
  return {
    ...first,
    run: { ...first.run, id: `${configurationOf(first.run.id)}, ${members.length} seeds` },
    steps,
    series: over((values) => values.reduce((sum, value) => sum + value, 0) / values.length),
    low: over((values) => Math.min(...values)),
    high: over((values) => Math.max(...values)),
  };
}

/** Everything that the chosen runs measured, one row a run and step. */
export function toCsv(runs: readonly Curves[]): string {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.series)))].sort();
  const rows = runs.flatMap((run) =>
    run.steps.map((step, i) => [
      run.run.id.replaceAll(",", ";"),
      step,
      ...names.map((name) => run.series[name]?.[i] ?? ""),
    ]),
  );
  return `${[["run", "step", ...names], ...rows].map((row) => row.join(",")).join("\n")}\n`;
}
