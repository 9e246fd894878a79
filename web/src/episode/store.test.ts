import { beforeEach, expect, test, vi } from "vitest";
import type { Listener } from "../api/streams";
import { oneEpisode } from "./fixtures";
import type { EpisodeEvent } from "./types";

const stream = vi.hoisted(() => ({ listener: null as Listener | null }));
const log = vi.hoisted(() => ({ events: [] as EpisodeEvent[], asked: [] as number[] }));

vi.mock("../api/streams", () => ({
  streams: true,
  joinStream: (listener: Listener) => {
    stream.listener = listener;
    return () => {};
  },
}));
vi.mock("../api/client", () => ({
  ApiError: class extends Error {},
  readEvents: async (_id: string, after: number) => {
    log.asked.push(after);
    return log.events.filter((event) => event.version > after);
  },
}));

beforeEach(() => {
  vi.resetModules();
  log.asked = [];
});

test("what the stream left out is read from the log, in its place", async () => {
  const { followEpisodes, knownOf } = await import("./store");
  log.events = oneEpisode.slice(0, 4);
  followEpisodes(["fixture"]);
  await vi.waitFor(() => expect(knownOf("fixture").episode.version).toBe(4));
  log.events = oneEpisode;
  // A whole turn went past while no page held the stream.
  const last = oneEpisode.at(-1);
  if (last) stream.listener?.onEvent(last);
  await vi.waitFor(() => expect(knownOf("fixture").episode.version).toBe(last?.version));
  expect(knownOf("fixture").episode.turns.map(({ turn }) => turn)).toEqual([1, 2]);
  expect(log.asked).toEqual([0, 4]);
});
