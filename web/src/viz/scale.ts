export interface Scale {
  (value: number): number;
  min: number;
  max: number;
}

/** A linear scale from [min, max] to [from, to]; an empty range is widened to be drawable. */
export function scale(min: number, max: number, from: number, to: number): Scale {
  const pad = max > min ? 0 : Math.max(Math.abs(max), 1) * 0.5;
  const low = min - pad;
  const high = max + pad;
  const map = (value: number) => from + ((value - low) / (high - low)) * (to - from);
  return Object.assign(map, { min: low, max: high });
}

/** About `count` round numbers within [min, max]. */
export function ticks(min: number, max: number, count: number): number[] {
  if (!(max > min)) return [min];
  const rough = (max - min) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough) ?? 10 * power;
  const found: number[] = [];
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + step * 1e-9; i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

/** Those of some values that can be written along an axis without touching each other, from the smallest on. */
export function spaced(values: readonly number[], x: Scale, apart: number): number[] {
  const kept: number[] = [];
  for (const value of [...values].sort((a, b) => a - b)) {
    const before = kept.at(-1);
    if (before === undefined || x(value) - x(before) >= apart) kept.push(value);
  }
  return kept;
}

/** The smallest and largest finite number, [0, 1] if there is none. */
export function extent(values: number[]): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}

/** The states at time `time` by linear interpolation; null before the first or past the last row. */
export function stateAt(t: number[], states: number[][], time: number): number[] | null {
  const last = Math.min(t.length, states.length) - 1;
  const first = t[0];
  const end = t[last];
  if (last < 0 || first === undefined || end === undefined) return null;
  if (time < first || time > end + 1e-12) return null;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((t[middle] ?? 0) <= time) low = middle;
    else high = middle;
  }
  const from = states[low];
  const to = states[high];
  const span = (t[high] ?? 0) - (t[low] ?? 0);
  if (from === undefined || to === undefined) return null;
  const share = span > 0 ? Math.min(1, (time - (t[low] ?? 0)) / span) : 0;
  return from.map((value, i) => value + share * ((to[i] ?? value) - value));
}
