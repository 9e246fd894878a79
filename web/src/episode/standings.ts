import type { EpisodeState } from "./reduce";
import type { Outcome } from "./types";

export interface Standing {
  outcome: Outcome | null;
  turnsToSolve: number | null;
  bestMatch: number;
  totalReward: number;
  parseFailures: number;
}

/** How an episode stands, from its turns so far. */
export function summarise(episode: EpisodeState): Standing {
  const { turns } = episode;
  return {
    outcome: episode.outcome,
    turnsToSolve: turns.find((turn) => turn.solved)?.turn ?? null,
    bestMatch: Math.max(0, ...turns.map((turn) => turn.reward.match)),
    totalReward: turns.reduce((sum, turn) => sum + turn.reward.total, 0),
    parseFailures: turns.filter((turn) => turn.simulation.outcome === "not_parsed").length,
  };
}
