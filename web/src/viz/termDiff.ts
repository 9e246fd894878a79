import type { Term } from "../episode/types";

export interface Change {
  kind: "kept" | "added" | "removed";
  text: string;
}

const textOf = (term: Term) => `${term.target}: ${term.negative ? "\u2212" : ""}${term.source}`;

/** What became of each term between two turns: kept and added in the new order, then the removed. */
export function termDiff(before: Term[], after: Term[]): Change[] {
  const old = new Set(before.map(textOf));
  const now = new Set(after.map(textOf));
  return [
    ...[...now].map((text): Change => ({ kind: old.has(text) ? "kept" : "added", text })),
    ...[...old].filter((text) => !now.has(text)).map((text): Change => ({ kind: "removed", text })),
  ];
}
