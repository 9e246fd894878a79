// Who stands where in a comparison, by what answers the question: did it find a law that carries over, and how soon.

import type { Outcome, Standing } from "../episode/types";

export interface Entry {
  id: string;
  label: string;
  outcome: Outcome | null;
  standing: Standing | null;
  /** Against the true law; null where nobody knows it, or it is not told yet. */
  recovered: "exact" | "recovered" | "different" | null;
}

/** Ended with a law that carries over, with one that fits what was shown, or without; -1 while it plays. */
function grade({ outcome }: Entry): number {
  if (outcome === null) return -1;
  return outcome === "solved" ? 2 : outcome === "fits" ? 1 : 0;
}

/** The entries, best first. The reward does not sort: a policy that fails slowly earns more than one that solves at once. */
export function ranked<E extends Entry>(entries: readonly E[]): E[] {
  const late = Number.POSITIVE_INFINITY;
  return [...entries].sort(
    (a, b) =>
      grade(b) - grade(a) ||
      (a.standing?.turns_to_solve ?? late) - (b.standing?.turns_to_solve ?? late) ||
      (b.standing?.generalisation ?? -1) - (a.standing?.generalisation ?? -1) ||
      (b.standing?.best_match ?? -1) - (a.standing?.best_match ?? -1),
  );
}

/**
 * Who won, null where the difference means nothing: all must have ended, and one alone must have got further than every
 * other. Two that both solved their task are not told apart by a turn, and nobody is by reward.
 */
export function winner(entries: readonly Entry[]): Entry | null {
  if (entries.length < 2 || entries.some(({ outcome }) => outcome === null)) return null;
  const [first, second] = ranked(entries);
  if (!first || !second || grade(first) < 1) return null;
  if (grade(first) > grade(second)) return first;
  const tied = entries.filter((one) => grade(one) === grade(first));
  const recovered = tied.filter(
    (one) => one.recovered === "exact" || one.recovered === "recovered",
  );
  const [only] = recovered;
  const others = tied.filter((one) => one !== only);
  return recovered.length === 1 && only && others.every((one) => one.recovered === "different")
    ? only
    : null;
}

/** What the standings come to, in a sentence. */
export function summary(entries: readonly Entry[]): string {
  if (entries.length < 2) return "";
  if (entries.some(({ outcome }) => outcome === null)) return "Still being played.";
  const best = winner(entries);
  const top = Math.max(...entries.map(grade));
  const those = ranked(entries.filter((one) => grade(one) === top));
  if (best && those.length > 1) return `${best.label} alone found the true law.`;
  if (best)
    return top === 2
      ? `${best.label} alone solved it.`
      : `${best.label} alone has a law that fits the data shown.`;
  if (top === 0) return `${entries.length === 2 ? "Neither" : "None"} found a law.`;
  const names = those.map((one) => one.label).join(" and ");
  const turns = those.map((one) => one.standing?.turns ?? 0).join(" and ");
  return `${names} ${top === 2 ? "solved it" : "fit the data shown"}, in ${turns} turns: on one task that tells them apart no further.`;
}
