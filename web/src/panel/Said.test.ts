import { expect, it } from "vitest";
import { oneEpisode } from "../episode/fixtures";
import { emptyEpisode, reduce } from "../episode/reduce";
import { recorded } from "../episode/useEpisode";
import { shownAt, standsAt } from "./Said";

it("says how an episode ended of its last turn, and of an earlier one which it is", () => {
  const episode = oneEpisode.reduce(reduce, emptyEpisode);
  const member = { id: "one", label: "One", ...recorded, episode };
  const last = episode.turns.length;
  expect(last).toBe(2);
  expect(standsAt(shownAt(member, 1))).toBe("turn 1 of 2");
  expect(standsAt(shownAt(member, 2))).toMatch(/^turn 2, [A-Z]/);
  // One that ended earlier than another keeps its last turn.
  expect(standsAt(shownAt(member, 7))).toBe(standsAt(shownAt(member, 2)));
  expect(standsAt(shownAt({ ...member, episode: { ...episode, outcome: null } }, 2))).toBe(
    "turn 2",
  );
});
