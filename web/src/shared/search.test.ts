import { expect, it } from "vitest";
import { episodeSearch, episodesSearch, formSearch } from "./search";

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
