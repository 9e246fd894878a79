import { expect, it } from "vitest";
import type { CompareSearch } from "../shared/search";
import { atPace, atTurn, zoomed } from "./view";

const view: CompareSearch = { turn: 3, t: 1.5, chart: "phase", layout: "overlay", embed: 1 };

it("keeps how a view is looked at when it moves to another turn, but not where the old one stood still", () => {
  const kept = { chart: "phase", layout: "overlay", embed: 1 };
  expect(atTurn(view, 2)).toEqual({ ...kept, turn: 2 });
  expect(atTurn(view, undefined)).toEqual(kept);
});

it("begins with the newest turn at either pace", () => {
  expect(atPace(view, true)).toMatchObject({ turn: undefined, pace: "slow" });
  expect(atPace({ ...view, pace: "slow" }, false)).toMatchObject({ pace: undefined });
});

it("draws out and back in", () => {
  expect(zoomed(view, true)).toEqual({ ...view, zoom: "out" });
  expect(zoomed(zoomed(view, true), false)).toEqual(view);
});
