import { expect, it } from "vitest";
import { compareSearch, episodeSearch, episodesSearch, formSearch, pairSearch } from "./search";

it("keeps good values and drops bad ones", () => {
  expect(episodeSearch({ turn: "3", t: 1.5, chart: "phase" })).toEqual({
    turn: 3,
    t: 1.5,
    chart: "phase",
  });
  expect(episodeSearch({ turn: 0, t: "NaN", chart: "pie" })).toEqual({});
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
