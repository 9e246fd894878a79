import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FileError, FORMAT, NEWEST_SCHEMA, readExport, unpack } from "./files";
import { emptyEpisode, reduce } from "./reduce";

/** Two rows of one shown array and one row of a hidden one, as docs/event-log.md lays them out. */
function blob(): string {
  const bytes = new ArrayBuffer(8 + 16 + 8 * 6);
  const view = new DataView(bytes);
  [1, 2, 2, 2, 1, 2].forEach((value, i) => {
    view.setUint32(4 * i, value, true);
  });
  [0, 5, 1, 4.5, 9, 9].forEach((value, i) => {
    view.setFloat64(24 + 8 * i, value, true);
  });
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}

const STARTED = {
  task: {
    task_id: "t",
    system_id: "csv",
    title: "Decay",
    variables: [{ name: "x", unit: "m", rate_of: null }],
    shown: [],
  },
  truth: { equation: "dx/dt = -x" },
  config: { max_turns: 8 },
  policy: "search",
};

async function exported(payload: object, digest?: string): Promise<Blob> {
  const line = {
    episode_id: "e",
    version: 1,
    recorded_at: "2026-01-01T00:00:00.000000+00:00",
    type: "EpisodeStarted",
    schema_version: 2,
    payload: JSON.stringify(payload),
    blob: blob(),
  };
  const body = `${JSON.stringify({ format: FORMAT })}\n${JSON.stringify(line)}\n`;
  const found = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
  const sha256 =
    digest ?? [...new Uint8Array(found)].map((b) => b.toString(16).padStart(2, "0")).join("");
  return new Blob([`${body}${JSON.stringify({ events: 1, sha256 })}\n`]);
}

describe("an exported file", () => {
  it("gives the shown arrays of a blob and leaves the hidden ones alone", () => {
    expect(unpack(blob())).toEqual([
      [
        [0, 5],
        [1, 4.5],
      ],
    ]);
  });

  it("goes through the reducer without its truth", async () => {
    const { ids, events } = await readExport("a.jsonl", await exported(STARTED));
    const episode = events.reduce(reduce, emptyEpisode);
    expect(ids).toEqual(["e"]);
    expect(episode.started?.payload.task.shown).toEqual([
      { t: [0, 1], states: [[5], [4.5]], inputs: [], sigma: [], missing: [] },
    ]);
    expect(episode.started?.payload.targets).toEqual([
      { variable: "x", order: 1, driven: "x", left: "dx/dt" },
    ]);
    expect(JSON.stringify(episode)).not.toContain("-x");
  });

  it("gives inputs, sigma and missing samples their places", async () => {
    const variable = { unit: null, rate_of: null };
    const task = (inputs: object[]) => ({
      ...STARTED.task,
      variables: inputs.length ? [] : [{ ...variable, name: "x" }],
      inputs,
      shown: [{ t: [], states: [], missing: [[1, 0]] }],
    });
    const driven = await readExport(
      "a.jsonl",
      await exported({ ...STARTED, task: task([{ name: "u", unit: null }]) }),
    );
    const shown = (events: typeof driven.events) =>
      events.reduce(reduce, emptyEpisode).started?.payload.task.shown[0];
    expect(shown(driven.events)).toEqual({
      t: [0, 1],
      states: [[], []],
      inputs: [[5], [4.5]],
      sigma: [],
      missing: [[1, 0]],
    });
  });

  it.each([
    ["changed", () => exported(STARTED, "0".repeat(64)), "checksum does not fit"],
    ["of another kind", async () => new Blob(['{"a":1}\n{"b":2}\n']), "names no format"],
    ["cut off", async () => new Blob([`{"format":"${FORMAT}"}\n{"a":1}\n`]), "cut off"],
    ["no JSON", async () => new Blob(["t,x\n0,1\n"]), "no JSON"],
  ])("that is %s is refused with the reason", async (_, make, words) => {
    const read = readExport("a.jsonl", await make());
    await expect(read).rejects.toThrow(FileError);
    await expect(read).rejects.toThrow(words);
  });
});

it("the page reads the newest schema that the server writes", () => {
  const events = readFileSync("../physix/engine/events.py", "utf8");
  expect(Number(/^SCHEMA_VERSION = (\d+)/m.exec(events)?.[1])).toBe(NEWEST_SCHEMA);
});
