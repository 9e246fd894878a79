// How the curves of several runs look, and where their names stand.

// Colour and dash: told apart by both, and named wherever a value is read.
const LINES: [colour: string, dash?: string][] = [
  ["var(--trained)"],
  ["var(--untrained)", "7 4"],
  ["var(--residual)", "2 3"],
  ["var(--simplicity)", "10 3 2 3"],
  ["var(--progress)", "4 2"],
  ["var(--format)", "12 4"],
  ["var(--ok)", "1 2"],
  ["var(--ink)", "6 2 2 2"],
];

/** More curves than this could not be told apart. */
export const MOST_CURVES = LINES.length;

export function styleOf(k: number): { colour: string; dash: string | undefined } {
  const [colour = "var(--ink)", dash] = LINES[k % LINES.length] ?? [];
  return { colour, dash };
}

/** Short names at the ends of curves: without what all of them begin with. */
export function labels(ids: string[]): string[] {
  const [first = ""] = ids;
  let shared = ids.length > 1 ? first.length : 0;
  while (shared > 0 && !ids.every((id) => id.startsWith(first.slice(0, shared)))) shared--;
  const cut = first.slice(0, shared).search(/[^-_.\s/]*$/);
  return ids.map((id) => {
    const rest = id.slice(shared > 0 ? cut : 0);
    return rest.length > 13 ? `${rest.slice(0, 12)}…` : rest;
  });
}

const LINE = 12;

/** Heights of labels that would like to stand at `wanted`, moved apart so that each can be read. */
export function spread(wanted: number[], top: number, bottom: number): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const placed = [...wanted];
  let free = top;
  for (const i of order) {
    placed[i] = Math.max(free, placed[i] ?? 0);
    free = (placed[i] ?? 0) + LINE;
  }
  let limit = bottom;
  for (const i of order.reverse()) {
    placed[i] = Math.min(limit, placed[i] ?? 0);
    limit = (placed[i] ?? 0) - LINE;
  }
  return placed;
}
