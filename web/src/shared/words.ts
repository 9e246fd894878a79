import type { EpisodeStarted, Outcome } from "../episode/types";

/** How an episode ended, in words. */
export const OUTCOMES: Record<Outcome, string> = {
  solved: "Solved",
  fits: "Fits the data shown",
  budget_exhausted: "Ran out of turns",
  abandoned: "Gave up",
  policy_failed: "The policy failed",
};

type Carried = NonNullable<EpisodeStarted["payload"]["carried_to"]>;

/** What generalisation is measured on. */
export const CARRIED: Record<Carried, string> = {
  "other starts": "motions from other starts, never shown",
  "held-back rows": "the last rows, held back",
  "other runs": "the runs held back",
  "second file": "the second file",
};

/** How hard a system is, by its tier. */
export const TIERS = ["", "easy", "harder", "hard; never trained on"];

const NAMES: Record<string, string> = {
  search: "Structure search",
  operon: "Operon",
  nano: "Trained",
  "nano-early": "Early",
  "nano-untrained": "Untrained",
  "local:smollm2": "SmolLM2, untrained",
  "local:smollm2-physix": "SmolLM2, trained",
  sindy: "Sparse regression",
  you: "You",
};

/** What a policy is called where it stands beside others. */
export const nameOf = (policy: string) => NAMES[policy] ?? policy;
