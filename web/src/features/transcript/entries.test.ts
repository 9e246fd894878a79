import { expect, it } from "vitest";
import type { EpisodeEvent, EpisodeView } from "../../episode/types";
import { asText, entries, holds, verdictOf } from "./entries";

const played = (turn: number, at: string, more: object = {}) => ({
  turn,
  equation: `dx/dt = -k${turn}*x`,
  rationale: "",
  raw_completion: null,
  mismatch: "x decays too slowly.",
  recorded_at: at,
  solved: false,
  parse: { rejection: null, canonical: `dx/dt = -k${turn}*x` },
  simulation: { outcome: "ok" },
  reward: { match: 0.5 },
  provenance: { completion_tokens: null },
  ...more,
});
const episode = {
  episode_id: "e",
  policy: "p",
  task: { title: "Decay" },
  started_at: "2026-01-01T00:00:00Z",
  turns: [
    played(1, "2026-01-01T00:00:02Z"),
    played(2, "2026-01-01T00:00:09Z", {
      parse: { rejection: { message: "no" }, canonical: null },
      raw_completion: "I think it is Friction.",
    }),
  ],
} as unknown as EpisodeView;
const failed = {
  type: "PolicyFailed",
  recorded_at: "2026-01-01T00:00:05Z",
  payload: { turn: 2, reason: "no answer within 60 s" },
} as unknown as EpisodeEvent;

it("a transcript holds turns and failed attempts in the order in which they happened", () => {
  const all = entries(episode, [failed]);
  expect(all.map((entry) => [entry.turn, verdictOf(entry), entry.seconds, entry.failed])).toEqual([
    [1, "match 0.50", 2, false],
    [2, "policy failed", 3, true],
    [2, "did not parse", 4, true],
  ]);
});

it("is searched in everything that was said", () => {
  const all = entries(episode, [failed]);
  const found = (text: string) => all.map((entry) => holds(entry, text));
  expect(found("friction")).toEqual([false, false, true]);
  expect(found("WITHIN 60")).toEqual([false, true, false]);
  expect(found("-k1*x")).toEqual([true, false, false]);
});

it("is written out as text", () => {
  const text = asText(episode, entries(episode, [failed]));
  expect(text).toContain("Decay: p (e)");
  expect(text).toContain("Turn 2: did not parse\nI think it is Friction.\n> x decays too slowly.");
});
