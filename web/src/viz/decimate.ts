/**
 * The rows that a line needs: of those that fall onto one pixel column the first, the lowest, the highest and the last.
 * Nothing that could be seen is left out, however many rows there are.
 *
 * `x` are pixels in rising order, `y` any measure; returns indices in rising order.
 */
export function decimated(x: ArrayLike<number>, y: ArrayLike<number>): number[] {
  const count = Math.min(x.length, y.length);
  const kept: number[] = [];
  let from = 0;
  while (from < count) {
    const column = Math.floor(x[from] ?? 0);
    let to = from;
    let low = from;
    let high = from;
    for (let i = from; i < count && Math.floor(x[i] ?? 0) === column; i++) {
      if ((y[i] ?? 0) < (y[low] ?? 0)) low = i;
      if ((y[i] ?? 0) > (y[high] ?? 0)) high = i;
      to = i;
    }
    const [a, b] = low < high ? [low, high] : [high, low];
    for (const i of [from, a, b, to])
      if (kept.at(-1) !== i && (kept.at(-1) ?? -1) < i) kept.push(i);
    from = to + 1;
  }
  return kept;
}

/** An excursion of a prediction beyond the range that is drawn. */
export interface Escape {
  /** The first row outside, and the row farthest out. */
  from: number;
  farthest: number;
  value: number;
  above: boolean;
}

/** Where a line leaves [low, high], one entry for each time it does. */
export function escapes(values: readonly number[], low: number, high: number): Escape[] {
  const found: Escape[] = [];
  let open: Escape | null = null;
  values.forEach((value, i) => {
    const outside = value < low || value > high;
    const above = value > high;
    if (!outside) open = null;
    else if (open === null || open.above !== above) {
      open = { from: i, farthest: i, value, above };
      found.push(open);
    } else if (above ? value > open.value : value < open.value) {
      open.value = value;
      open.farthest = i;
    }
  });
  return found;
}
