import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  defaultStringifySearch,
} from "@tanstack/react-router";
import { expect, it } from "vitest";
import * as readers from "./search";
import {
  compareSearch,
  episodeSearch,
  episodesSearch,
  formSearch,
  pairSearch,
  present,
  trainingSearch,
} from "./search";

it("keeps good values and drops bad ones", () => {
  expect(episodeSearch({ turn: "3", t: 1.5, chart: "phase" })).toEqual({
    turn: 3,
    t: 1.5,
    chart: "phase",
  });
  expect(episodeSearch({ turn: 0, t: "NaN", chart: "pie" })).toEqual({});
  expect(episodeSearch({ t: "Infinity" })).toEqual({});
  expect(trainingSearch({ smooth: "0.95" })).toEqual({ smooth: 0.95 });
  expect(trainingSearch({ smooth: "0.96" })).toEqual({});
  expect(formSearch({ system: "pendulum", seed: -1, policy: 7 })).toEqual({
    system: "pendulum",
    policy: "7",
  });
});

it("reads back what it wrote", () => {
  const search = episodesSearch({ q: "drag", outcome: "solved", unknown: 1 });
  expect(episodesSearch({ ...search })).toEqual(search);
});

it("keeps one episode more than is compared, so that the screen can say so", () => {
  const ids = Array.from({ length: 9 }, (_, i) => `e${i}`);
  expect(pairSearch({ episode: ids.slice(0, 6) }).episode).toHaveLength(6);
  expect(pairSearch({ episode: ids }).episode).toEqual(ids.slice(0, 7));
  expect(compareSearch({ layout: "all" })).toEqual({ layout: "all" });
  expect(compareSearch({ layout: "pile" })).toEqual({});
});

type Reader = (raw: Record<string, unknown>) => object;
const isReader = (entry: [string, unknown]): entry is [string, Reader] =>
  entry[0].endsWith("Search") && typeof entry[1] === "function";

/** What a screen at an address is handed, and what the page then writes into the address. */
async function arrived(validateSearch: Reader, query: string) {
  const root = createRootRoute();
  const screen = createRoute({ getParentRoute: () => root, path: "/screen", validateSearch });
  const history = createMemoryHistory({ initialEntries: [`/screen?${query}`] });
  const router = createRouter({ history, routeTree: root.addChildren([screen]) });
  await router.load();
  const handed: object = router.state.matches.at(-1)?.search ?? {};
  return { handed, address: defaultStringifySearch({ ...handed }) };
}

it.each(Object.entries(readers).filter(isReader))(
  "%s hands a screen nothing of what an address says wrongly",
  async (_, read) => {
    // No field takes an object: not a text, a number, a word of a few or a list.
    const query = Object.keys(read({})).map((key) => `${key}=${encodeURIComponent('{"no":1}')}`);
    expect(query.length).toBeGreaterThan(0);
    expect(present((await arrived(read, query.join("&"))).handed)).toEqual({});
  },
);

it("hands a screen what an address says well, and writes no default into it", async () => {
  const { handed, address } = await arrived(episodeSearch, "turn=2&t=x&chart=pie");
  expect(present(handed)).toEqual({ turn: 2 });
  expect(address).toBe("?turn=2");
});
