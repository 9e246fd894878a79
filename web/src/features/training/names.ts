// What the curves of several runs are called, and where their names stand.

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

/** Heights of labels that would like to stand at `wanted`, moved apart so that each can be read. */
export function spread(wanted: number[], top: number, bottom: number, line = 12): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const placed = [...wanted];
  let free = top;
  for (const i of order) {
    placed[i] = Math.max(free, placed[i] ?? 0);
    free = (placed[i] ?? 0) + line;
  }
  let limit = bottom;
  for (const i of order.reverse()) {
    placed[i] = Math.min(limit, placed[i] ?? 0);
    limit = (placed[i] ?? 0) - line;
  }
  return placed;
}
