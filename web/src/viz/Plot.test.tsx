import { expect, test } from "vitest";
import { type Layer, rowsWithin } from "./Plot";

test("a legend that is longer than a plot goes into rows, in its order", () => {
  const layer = (name: string): Layer => ({ name, kind: "line", x: [], y: [] });
  // Each name of ten letters takes 36 + 64 with the sample before it.
  const layers = ["measured 1", "measured 2", "measured 3"].map(layer);
  const names = (most: number) => rowsWithin(layers, most).map((row) => row.map((one) => one.name));
  expect(names(300)).toEqual([["measured 1", "measured 2", "measured 3"]]);
  expect(names(299)).toEqual([["measured 1", "measured 2"], ["measured 3"]]);
  expect(names(50)).toEqual([["measured 1"], ["measured 2"], ["measured 3"]]);
  expect(rowsWithin([], 300)).toEqual([]);
});
