import { beforeEach, expect, it, vi } from "vitest";

const health = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetModules();
  health.mockReset().mockResolvedValue(new Response("{}"));
  vi.stubGlobal("fetch", health);
});

it("an answer lost is said, and the next attempts come later and later", async () => {
  const { lost, reachOf, ask } = await import("./reach");
  health.mockRejectedValue(new TypeError("refused"));
  const waits: number[] = [];
  lost();
  for (let i = 0; i < 7; i++) {
    const { reachable, nextTry } = reachOf();
    expect(reachable).toBe(false);
    waits.push(((nextTry ?? 0) - Date.now()) / 1000);
    await ask();
  }
  waits.forEach((wait, i) => {
    const longest = Math.min(30, 2 ** i);
    expect(wait).toBeGreaterThanOrEqual(0.8 * longest - 0.001);
    expect(wait).toBeLessThanOrEqual(longest);
  });
});

it("a server that answers again counts as returned, once", async () => {
  const { answered, ask, lost, reachOf } = await import("./reach");
  answered();
  expect(reachOf()).toEqual({ reachable: true, nextTry: null, returned: 0 });
  lost();
  await ask();
  answered();
  expect(reachOf()).toEqual({ reachable: true, nextTry: null, returned: 1 });
});

it.each([0, 300, 700, 999, 1001, 1499, 1600, 2900])(
  "a server that is gone after an answer at %i ms is said to be well within three seconds",
  async (at) => {
    const { answered, reachOf, watchServer } = await import("./reach");
    watchServer();
    await vi.advanceTimersByTimeAsync(at);
    answered();
    health.mockRejectedValue(new TypeError("refused"));
    await vi.advanceTimersByTimeAsync(1600);
    expect(reachOf().reachable).toBe(false);
  },
);

it("while nothing is heard the server is asked again and again", async () => {
  const { watchServer } = await import("./reach");
  watchServer();
  await vi.advanceTimersByTimeAsync(2000);
  expect(health).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(4000);
  expect(health.mock.calls.length).toBeGreaterThanOrEqual(2);
});

it("what is waited for is told, the longest first", async () => {
  const { waitFor, waitingFor } = await import("./reach");
  const first = waitFor("the systems");
  vi.advanceTimersByTime(10);
  waitFor("the policies");
  expect(waitingFor().map(({ what }) => what)).toEqual(["the systems", "the policies"]);
  first();
  first();
  expect(waitingFor().map(({ what }) => what)).toEqual(["the policies"]);
});

it("nothing that would change something is sent while the server is away", async () => {
  const { lost } = await import("./reach");
  const { api } = await import("./client");
  lost();
  await expect(api.start({ system_id: "free_fall" })).rejects.toThrow("nothing was sent");
  expect(health).not.toHaveBeenCalled();
});
