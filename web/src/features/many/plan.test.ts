import { expect, it } from "vitest";
import { noisesIn, parted } from "./plan";

it("noise is written in percent, and nothing written leaves it to the suite", () => {
  expect(noisesIn("")).toEqual([null]);
  expect(noisesIn("0, 1,5 %, 1")).toEqual([0, 0.01, 0.05]);
  expect(noisesIn("1, -2")).toBeUndefined();
  expect(noisesIn("1,,2")).toBeUndefined();
  expect(noisesIn("much")).toBeUndefined();
});

it("a list in an address is taken apart", () => {
  expect(parted("search,sindy")).toEqual(["search", "sindy"]);
  expect(parted(undefined)).toBeUndefined();
});
