import type {
  EpisodeEvent,
  EpisodeStarted,
  HypothesisSubmitted,
  Outcome,
  PolicyFailed,
  SimulationRun,
  Standing,
  TurnView,
} from "./types";

/** What the page knows of one episode: a fold over its events, live or replayed. */
export interface EpisodeState {
  version: number;
  started: EpisodeStarted | null;
  turns: TurnView[];
  /** A turn whose reward is not in yet; it is not shown as a turn. */
  pending: { hypothesis: HypothesisSubmitted; simulation: SimulationRun | null } | null;
  failure: PolicyFailed["payload"] | null;
  outcome: Outcome | null;
  /** How the server says it stands; null before the first turn, and in a file, which holds events alone. */
  standing: Standing | null;
  updatedAt: string | null;
}

export const emptyEpisode: EpisodeState = {
  version: 0,
  started: null,
  turns: [],
  pending: null,
  failure: null,
  outcome: null,
  standing: null,
  updatedAt: null,
};

/** Pure. An event whose version is already in changes nothing, so overlapping streams are harmless. */
export function reduce(episode: EpisodeState, event: EpisodeEvent): EpisodeState {
  if (event.version <= episode.version) return episode;
  const next = { ...episode, version: event.version, updatedAt: event.recorded_at };
  switch (event.type) {
    case "EpisodeStarted":
      return { ...next, started: event };
    case "HypothesisSubmitted":
      return { ...next, pending: { hypothesis: event, simulation: null }, failure: null };
    case "SimulationRun":
      if (next.pending?.hypothesis.payload.turn !== event.payload.turn) return next;
      return { ...next, pending: { ...next.pending, simulation: event } };
    case "RewardComputed": {
      const { pending } = next;
      if (pending?.simulation == null || pending.simulation.payload.turn !== event.payload.turn)
        return next;
      const turn: TurnView = {
        ...pending.hypothesis.payload,
        ...pending.simulation.payload,
        ...event.payload,
        raw_completion: pending.hypothesis.payload.raw_completion ?? null,
        match_dense: event.payload.match_dense ?? null,
        // What tells of the truth is in no public stream.
        correctness: null,
        recorded_at: event.recorded_at,
      };
      return {
        ...next,
        pending: null,
        turns: [...next.turns, turn],
        standing: event.standing,
      };
    }
    case "PolicyFailed":
      return { ...next, failure: event.payload, standing: event.standing };
    case "EpisodeLabelled":
      // Part of no turn, and no later moment of the episode.
      return { ...episode, version: event.version };
    case "EpisodeFinished":
      return { ...next, pending: null, outcome: event.payload.reason, standing: event.standing };
  }
}
