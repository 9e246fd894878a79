import { expect, it } from "vitest";
import type { BoardSummary, RunningEpisode } from "../../episode/types";
import { boardItems, itemsOf } from "./RunningNow";

const episode = (id: string, comparison: string | null, driven = true): RunningEpisode => ({
  episode_id: id,
  title: "Pendulum",
  policy: id === "c-1" ? "nano" : "search",
  turns: 1,
  max_turns: 8,
  driven,
  comparison_id: comparison,
  started_at: "2026-01-01T00:00:00Z",
});

it("members of a comparison stand together, and are driven while one of them is", () => {
  const items = itemsOf([episode("a", null), episode("c-0", "c", false), episode("c-1", "c")]);
  expect(items.map(({ id, kind, driven }) => [id, kind, driven])).toEqual([
    ["a", "episode", true],
    ["c", "comparison", true],
  ]);
  expect(items[1]?.detail).toBe("Structure search, turn 1 of 8; Trained, turn 1 of 8");
});

it("boards that are over are not listed", () => {
  const states = ["running", "paused", "interrupted", "finished", "cancelled", "failed"] as const;
  const boards = states.map((state) => ({ id: state, name: state, done: 3, total: 9, state }));
  const items = boardItems(boards as unknown as BoardSummary[]);
  expect(items.map(({ id, driven, detail }) => [id, driven, detail])).toEqual([
    ["running", true, "3 of 9 episodes"],
    ["paused", false, "3 of 9 episodes, paused"],
    ["interrupted", false, "3 of 9 episodes, interrupted"],
  ]);
});
