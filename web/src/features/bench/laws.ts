// The laws that a bench lays out: those of a discovery, else those of the turns. Values in, values out.

import type { Discovery, EpisodeView, Fitted, Law, TurnView } from "../../episode/types";
import { figure, scientific } from "../../viz/format";

export interface Candidate {
  /** As the address names it. */
  key: string;
  title: string;
  equation: string;
  params: Record<string, number>;
  complexity: number;
  /** Per sample, in units of the noise; null where only a turn knows the law. */
  chi2: number | null;
  law: Law | null;
  turn: TurnView | null;
  /** What the data said of a law that whoever reads the bench wrote. */
  yours: Fitted | null;
  chosen: boolean;
}

const sameLaw = (a: Law, b: Law | null) =>
  b !== null && a.equation === b.equation && JSON.stringify(a.params) === JSON.stringify(b.params);

/** The front from the plainest on, then the rivals that are not on it, then what the turns proposed besides. */
export function candidates(discovery: Discovery | null, episode: EpisodeView): Candidate[] {
  const chosen = discovery?.chosen ?? null;
  const of = (kind: "front" | "rival") => (law: Law, i: number) => ({
    key: `${kind} ${i}`,
    title: kind === "front" ? `Front, ${law.complexity} operators` : `Rival ${i + 1}`,
    equation: law.equation,
    params: law.params,
    complexity: law.complexity,
    chi2: law.chi2,
    law,
    turn: null,
    yours: null,
    chosen: sameLaw(law, chosen),
  });
  const front = (discovery?.front ?? []).map(of("front"));
  const rivals = (discovery?.rivals ?? [])
    .map(of("rival"))
    .filter(({ law }) => !front.some((one) => sameLaw(law, one.law)));
  const known = new Set([...front, ...rivals].map(({ equation }) => equation));
  const best = episode.standing.best_turn;
  const turns = episode.turns
    .filter(({ parse }) => parse.rejection === null && !known.has(parse.canonical ?? ""))
    .map(
      (turn): Candidate => ({
        key: `turn ${turn.turn}`,
        title: `Turn ${turn.turn}`,
        equation: turn.parse.canonical ?? turn.equation,
        params: constantsOf(turn),
        complexity: turn.parse.operators,
        chi2: null,
        law: null,
        turn,
        yours: null,
        chosen: discovery === null && turn.turn === best,
      }),
    );
  return [...front, ...rivals, ...turns];
}

/** The laws that whoever reads the bench has fitted, oldest first, to stand among the others; those that ran. */
export function ownCandidates(fits: readonly Fitted[]): Candidate[] {
  return fits.filter(ran).map((yours, i) => ({
    key: `yours ${i}`,
    title: `Your law ${i + 1}`,
    equation: yours.equation ?? "",
    params: Object.fromEntries(yours.constants.map(({ name, value }) => [name, value])),
    complexity: yours.complexity,
    chi2: yours.chi2,
    law: null,
    turn: null,
    yours,
    chosen: false,
  }));
}

/** Whether a law could be read and followed over the data: else there is nothing to draw. */
export const ran = ({ equation, chi2 }: Fitted) => equation !== null && chi2 !== null;

const constantsOf = (turn: TurnView): Record<string, number> =>
  Object.fromEntries(
    Object.entries({ ...turn.params, ...turn.simulation.fitted }).flatMap(
      ([name, value]): [string, number][] => (value === null ? [] : [[name, value]]),
    ),
  );

interface ConstantRow {
  name: string;
  value: number;
  error: number | null;
  low: number | null;
  high: number | null;
  unit: string | null;
}

/** The constants of a law with what is known of them. */
export function constants({ law, yours, turn, params }: Candidate): ConstantRow[] {
  const known = law?.constants ?? yours?.constants;
  if (known) return known.map((one) => ({ ...one }));
  return Object.entries(params).map(([name, value]) => {
    const error = turn?.simulation.errors?.[name] ?? null;
    return {
      name,
      value,
      error,
      low: error === null ? null : value - 1.96 * error,
      high: error === null ? null : value + 1.96 * error,
      unit: turn?.parse.param_units[name] ?? null,
    };
  });
}

const MOST_DIGITS = 7; // an error below the last of them is told by its size alone
const minus = (text: string) => text.replaceAll("-", "\u2212");

/** A value with its error, to the digits that the error leaves: 9.813 ± 0.006. */
export function measured(value: number, error: number | null): string {
  if (error === null || !(error > 0)) return minus(String(Number(value.toPrecision(5))));
  if (Math.abs(value) >= 1e6 || (Math.abs(value) < 1e-4 && value !== 0))
    return `${scientific(value, 4)} ± ${scientific(error, 2)}`;
  if (error < Math.abs(value) * 10 ** -MOST_DIGITS)
    return `${minus(String(Number(value.toPrecision(MOST_DIGITS))))} ± ${scientific(error, 2)}`;
  const places = Math.min(12, Math.max(0, 1 - Math.floor(Math.log10(error))));
  return minus(`${value.toFixed(places)} ± ${error.toFixed(places)}`);
}

/** An interval, to the digits in which its ends differ: 4.83 to 5.31. */
export function interval(low: number, high: number): string {
  const [middle, half] = [(low + high) / 2, (high - low) / 2];
  if (half < Math.abs(middle) * 10 ** -MOST_DIGITS) return `± ${scientific(half, 2)}`;
  const digits = Math.max(2, 2 + Math.floor(Math.log10(Math.abs(middle) / half)));
  return `${figure(low, digits)} to ${figure(high, digits)}`;
}

/** The quantiles of the normal distribution at (i + 1/2) / n, by Acklam's rational approximation (1e-9). */
export function normalQuantiles(n: number): number[] {
  return Array.from({ length: n }, (_, i) => inverseNormal((i + 0.5) / n));
}

function inverseNormal(p: number): number {
  const a = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269];
  const a2 = [-30.66479806614716, 2.506628277459239];
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972];
  const b2 = -13.28068155288572;
  const c = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838];
  const c2 = [-2.549732539343734, 4.374664141464968, 2.938163982698783];
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
  const poly = (coefficients: number[], x: number) =>
    coefficients.reduce((sum, one) => sum * x + one, 0);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return poly([...c, ...c2], q) / poly([...d, 1], q);
  }
  if (p > 1 - 0.02425) return -inverseNormal(1 - p);
  const q = p - 0.5;
  const r = q * q;
  return (poly([...a, ...a2], r) * q) / poly([...b, b2, 1], r);
}
