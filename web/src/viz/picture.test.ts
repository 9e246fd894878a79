import { expect, it } from "vitest";
import { wrapped } from "./picture";

it("breaks text at words, and long words where they end", () => {
  expect(wrapped("dv/dt = -k*x; k = 2", 10, 9)).toEqual(["dv/dt =", "-k*x; k =", "2"]);
  expect(wrapped("abcdefghij k", 4, 9)).toEqual(["abcd", "efgh", "ij k"]);
  expect(wrapped("one\ntwo", 10, 9)).toEqual(["one", "two"]);
});

it("says where it leaves something out, and only there", () => {
  expect(wrapped("a b c", 1, 3)).toEqual(["a", "b", "c"]);
  expect(wrapped("aaaa bbbb cccc", 4, 2)).toEqual(["aaaa", "bbb…"]);
  expect(wrapped("", 10, 1)).toEqual([""]);
});
