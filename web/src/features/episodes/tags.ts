// Tags and notes: labels that people put on an episode, beside those that a run gave it when it began.

import type { EpisodeRow } from "../../episode/types";

/** The label that holds the note. */
export const NOTE = "note";
/** As many characters as a note and the name of a tag may have. */
export const MOST_NOTE = 500;
const MOST_NAME = 64;
/** What runs call their episodes by; each has a filter or a column of its own, or is of no use to a reader. */
const RUN = new Set(["run", "step", "group", "sample", "split", "suite", "arm"]);

type Labels = Record<string, string>;

/** What people put on it, the note apart: ["good", "fig=2"], by name. */
export const tagsOf = (labels: Labels, fixed: Iterable<string> = RUN): string[] => {
  const kept = new Set([...fixed, NOTE]);
  return Object.entries(labels)
    .filter(([name]) => !kept.has(name))
    .map(([name, value]) => (value === "" ? name : `${name}=${value}`))
    .sort();
};

/** A tag as it is written, name or name=value; what is wrong with it where it will not do. */
export function tagIn(text: string): { name: string; value: string } | { wrong: string } {
  const [name = "", ...rest] = text.split("=");
  const value = rest.join("=").trim();
  if (name.trim() === "") return { wrong: "Write a word, or name=value." };
  if (name.trim().length > MOST_NAME) return { wrong: `A name has at most ${MOST_NAME} letters.` };
  if (name.includes(",")) return { wrong: "A name has no comma." };
  if (value.length > MOST_NOTE) return { wrong: `A value has at most ${MOST_NOTE} letters.` };
  return { name: name.trim(), value };
}

/** Every tag on some rows, and each name of one with a value: what a list can be narrowed to. */
export function offeredLabels(rows: readonly EpisodeRow[]): string[] {
  const all = rows.flatMap(({ labels }) => [
    ...tagsOf(labels),
    ...tagsOf(labels).map((tag) => tag.split("=")[0] ?? tag),
    ...(labels[NOTE] === undefined ? [] : [NOTE]),
  ]);
  return [...new Set(all)].sort();
}
