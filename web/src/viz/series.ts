import type { Task, TurnView } from "../episode/types";
import { type Look, lookAt } from "./looks";
import { extent } from "./scale";

/** One prediction as every chart draws it. Told apart by colour, by dashes and by name. */
export interface Series extends Look {
  label: string;
  /** Rows of the first shown trajectory; shorter than the data where the simulation stopped. */
  states: number[][];
  /** Where and why the simulation ended before the data does. */
  stopped?: { t: number; why: string };
}

/** What a turn predicted, with the look of its place in a chart; null where it predicted nothing. */
export function seriesOf(turn: TurnView, label: string, place = 0): Series | null {
  const { outcome, t_reached: t } = turn.simulation;
  if (statesOf(turn.simulation).length === 0) return null;
  return {
    label,
    ...lookAt(place),
    states: statesOf(turn.simulation),
    ...(t !== null && outcome !== "ok" && { stopped: { t, why: outcome.replaceAll("_", " ") } }),
  };
}

/** The single prediction of a screen with one episode. */
export function predicted(turn: TurnView | null): Series[] {
  const series = turn && seriesOf(turn, "predicted");
  return series ? [series] : [];
}

export function statesOf(simulation: TurnView["simulation"]): number[][] {
  return simulation.predictions?.[0]?.states ?? [];
}

const column = (states: readonly number[][], at: number) => states.map((state) => state[at] ?? 0);

/** The range of a variable in the data, widened a little: the same for every pane of a task. */
export function dataRange(task: Task, at: number): [number, number] {
  const [low, high] = extent(column(task.shown[0]?.states ?? [], at));
  const margin = 0.15 * (high - low);
  return [low - margin, high + margin];
}

/** The range that is drawn: the data's, or, `wide`, one that holds the predictions too. */
export function drawnRange(
  task: Task,
  at: number,
  series: readonly Series[],
  wide: boolean,
): [number, number] {
  const [low, high] = dataRange(task, at);
  if (!wide) return [low, high];
  const [under, over] = extent([low, high, ...series.flatMap((one) => column(one.states, at))]);
  return [under, over];
}

/** How many predicted rows lie outside the range of the data, in any variable, and of how many. */
export function outside(task: Task, series: readonly Series[]): { out: number; of: number } {
  const ranges = task.variables.map((_, at) => dataRange(task, at));
  const rows = series.flatMap((one) => one.states);
  const out = rows.filter((state) =>
    ranges.some(([low, high], at) => {
      const value = state[at] ?? 0;
      return high > low && (value < low || value > high);
    }),
  );
  return { out: out.length, of: rows.length };
}

/** Predicted minus observed of one variable, row by row, as far as the prediction goes. */
export function residuals(task: Task, series: Series, at: number): number[] {
  const observed = task.shown[0]?.states ?? [];
  return series.states
    .slice(0, observed.length)
    .map((state, i) => (state[at] ?? 0) - (observed[i]?.[at] ?? 0));
}

/** No axis is shorter than this share of the data's range: an exact fit is a flat line, not magnified rounding. */
const SHORTEST = 1e-3;

/** How far residual axes reach: all residuals, but at most twice the data's range unless `fit` asks for all. */
export function residualReach(task: Task, all: Series[], at: number, fit: boolean): number {
  const sizes = all.flatMap((series) => residuals(task, series, at).map(Math.abs));
  const [low, high] = dataRange(task, at);
  const range = high - low || Math.max(Math.abs(high), 1);
  const largest = Math.max(SHORTEST * range, ...sizes.filter(Number.isFinite));
  return fit ? largest : Math.min(largest, 2 * range);
}
