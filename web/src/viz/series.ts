import type { Task, TurnView } from "../episode/types";
import { extent } from "./scale";

/** One prediction as every chart draws it. Told apart by colour, by dashes and by name. */
export interface Series {
  label: string;
  colour: "trained" | "untrained";
  dashed: boolean;
  /** Rows of the first shown trajectory; shorter than the data where the simulation stopped. */
  states: number[][];
  /** Where and why the simulation ended before the data does. */
  stopped?: { t: number; why: string };
}

/** What a turn predicted, as the first or the second series of a chart. */
export function seriesOf(turn: TurnView, label: string, place: 0 | 1 = 0): Series {
  const { outcome, t_reached: t } = turn.simulation;
  return {
    label,
    colour: place === 0 ? "trained" : "untrained",
    dashed: place === 1,
    states: statesOf(turn.simulation),
    ...(t !== null && outcome !== "ok" && { stopped: { t, why: outcome.replaceAll("_", " ") } }),
  };
}

/** The single prediction of a screen with one episode. */
export function predicted(turn: TurnView | null): Series[] {
  return turn ? [seriesOf(turn, "predicted")] : [];
}

export function statesOf(simulation: TurnView["simulation"]): number[][] {
  return simulation.predictions?.[0]?.states ?? [];
}

export const stroke = (series: Series) => `var(--${series.colour})`;
export const dashes = (series: Series) => (series.dashed ? "7 4" : undefined);

/** The range of a variable in the data, widened a little: the same for every pane of a task. */
export function dataRange(task: Task, column: number): [number, number] {
  const [low, high] = extent((task.shown[0]?.states ?? []).map((state) => state[column] ?? 0));
  const margin = 0.15 * (high - low);
  return [low - margin, high + margin];
}

/** Predicted minus observed of one variable, row by row, as far as the prediction goes. */
export function residuals(task: Task, series: Series, column: number): number[] {
  const observed = task.shown[0]?.states ?? [];
  return series.states
    .slice(0, observed.length)
    .map((state, i) => (state[column] ?? 0) - (observed[i]?.[column] ?? 0));
}

/** How far residual axes reach: all residuals, but at most twice the data's range unless `fit` asks for all. */
export function residualReach(task: Task, all: Series[], column: number, fit: boolean): number {
  const sizes = all.flatMap((series) => residuals(task, series, column).map(Math.abs));
  const largest = Math.max(1e-12, ...sizes.filter(Number.isFinite));
  const [low, high] = dataRange(task, column);
  return fit ? largest : Math.min(largest, 2 * (high - low) || largest);
}
