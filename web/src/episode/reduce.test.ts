import { describe, expect, it } from "vitest";
import { oneEpisode } from "./fixtures";
import { emptyEpisode, reduce } from "./reduce";
import type { EpisodeEvent } from "./types";

const fold = (events: EpisodeEvent[]) => events.reduce(reduce, emptyEpisode);
const whole = fold(oneEpisode);

describe("the reducer", () => {
  it("shows a turn only when its reward is in", () => {
    expect(oneEpisode.map((_, i) => fold(oneEpisode.slice(0, i + 1)).turns.length)).toEqual([
      0, 0, 0, 1, 1, 1, 2, 2,
    ]);
    expect(whole.outcome).toBe("solved");
  });

  it("ignores an event it already has", () => {
    expect(fold(oneEpisode.flatMap((event) => [event, event]))).toEqual(whole);
  });

  it("reaches the same state from any reconnect point", () => {
    for (let dropped = 0; dropped <= oneEpisode.length; dropped++)
      for (let resumed = 0; resumed <= dropped; resumed++)
        expect(fold([...oneEpisode.slice(0, dropped), ...oneEpisode.slice(resumed)])).toEqual(
          whole,
        );
  });
});
