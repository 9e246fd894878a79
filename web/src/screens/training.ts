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
