// An episode as lines of a log: every turn and every failed attempt, in the order in which they happened.

import type { EpisodeEvent, EpisodeView, PolicyFailed, TurnView } from "../../episode/types";

export interface Entry {
  turn: number;
  /** Null where the policy failed and no turn came of it. */
  played: TurnView | null;
  failure: PolicyFailed["payload"] | null;
  failed: boolean;
  /** Since the entry before, as the log's clock has it; null for the first. */
  seconds: number | null;
  at: string;
}

export function entries(episode: EpisodeView, events: readonly EpisodeEvent[]): Entry[] {
  const failures = events.flatMap((event): Omit<Entry, "seconds">[] =>
    event.type === "PolicyFailed"
      ? [
          {
            turn: event.payload.turn,
            played: null,
            failure: event.payload,
            failed: true,
            at: event.recorded_at,
          },
        ]
      : [],
  );
  const turns = episode.turns.map(
    (played): Omit<Entry, "seconds"> => ({
      turn: played.turn,
      played,
      failure: null,
      failed: played.parse.rejection !== null || played.simulation.outcome !== "ok",
      at: played.recorded_at,
    }),
  );
  const all = [...turns, ...failures].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return all.map((entry, i) => {
    const before = i === 0 ? episode.started_at : all[i - 1]?.at;
    const seconds = before ? (Date.parse(entry.at) - Date.parse(before)) / 1000 : null;
    return { ...entry, seconds };
  });
}

/** Whether a text is anywhere in what was said in an entry. */
export function holds(entry: Entry, text: string): boolean {
  const { played, failure } = entry;
  const wanted = text.toLowerCase();
  return [
    played?.equation,
    played?.parse.canonical,
    played?.rationale,
    played?.raw_completion,
    played?.mismatch,
    failure?.reason,
  ].some((said) => said?.toLowerCase().includes(wanted));
}

/** What became of an entry, in a word. */
export function verdictOf({ played, failure }: Entry): string {
  if (failure) return "policy failed";
  if (!played) return "";
  if (played.parse.rejection) return "did not parse";
  if (played.simulation.outcome !== "ok") return played.simulation.outcome.replaceAll("_", " ");
  return played.solved ? "solved" : `match ${played.reward.match.toFixed(2)}`;
}

export const tokens = (entry: Entry) => entry.played?.provenance.completion_tokens ?? null;

/** The whole as plain text, for a report of a bug or a paper's appendix. */
export function asText(episode: EpisodeView, all: readonly Entry[]): string {
  const lines = all.flatMap((entry) => [
    `Turn ${entry.turn}: ${verdictOf(entry)}`,
    entry.played?.raw_completion ?? entry.played?.equation ?? entry.failure?.reason ?? "",
    ...(entry.played ? [`> ${entry.played.mismatch}`] : []),
    "",
  ]);
  return [`${episode.task.title}: ${episode.policy} (${episode.episode_id})`, "", ...lines].join(
    "\n",
  );
}
