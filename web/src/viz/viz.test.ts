import { expect, test } from "vitest";
import { axisName, figure, powerOfTen, symbol, unit } from "./format";
import { lookAt, MOST_CURVES } from "./looks";
import { scale, spaced, stateAt, ticks } from "./scale";
import { changedParams, termDiff } from "./termDiff";

test("numbers carry a true minus sign", () => {
  expect(figure(-1.2345)).toBe("\u22121.23");
  expect(figure(-1e-7)).toBe("\u22121×10\u207b\u2077");
});

test("a number far from 1 has a power of ten, on both sides of where that begins", () => {
  expect([99_999, 100_000, 0.001, 0.000999, 0, 1.5e300].map((one) => figure(one))).toEqual([
    "100000",
    "1×10⁵",
    "0.001",
    "9.99×10⁻⁴",
    "0",
    "1.5×10³⁰⁰",
  ]);
  expect(figure(Number.POSITIVE_INFINITY)).toBe("Infinity");
});

test("powers are raised, those of ten and those of a unit", () => {
  expect([-5, -1, 0, 2, 3, 12].map(powerOfTen)).toEqual([
    "10\u207b\u2075",
    "0.1",
    "1",
    "100",
    "10\u00b3",
    "10\u00b9\u00b2",
  ]);
  expect(unit("kg*m**2/s**-6")).toBe("kg·m²/s\u207b\u2076");
});

test("numbers along an axis do not touch", () => {
  const x = scale(0, 20, 0, 200);
  expect(spaced([20, 12, 13, 0, 2], x, 16)).toEqual([0, 2, 12, 20]);
});

test("angles are shown as Greek letters", () => {
  expect(symbol("theta")).toBe("θ");
  expect(symbol("dtheta")).toBe("θ\u0307");
  expect(symbol("vy")).toBe("vy");
});

test("an axis has its unit, where there is one", () => {
  expect(axisName({ name: "dtheta", unit: "rad/s**2" })).toBe("θ\u0307 (rad/s²)");
  expect(axisName({ name: "n", unit: null })).toBe("n");
});

test("ticks are round and within the range", () => {
  expect(ticks(0.13, 1.02, 5)).toEqual([0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticks(3, 3, 5)).toEqual([3]);
});

test("curves that share a chart differ in colour and in dash, and only the first is solid", () => {
  const looks = Array.from({ length: MOST_CURVES }, (_, place) => lookAt(place));
  expect(new Set(looks.map(({ colour }) => colour)).size).toBe(MOST_CURVES);
  expect(new Set(looks.map(({ dash }) => dash)).size).toBe(MOST_CURVES);
  expect(looks.map(({ dash }) => dash === undefined).indexOf(true, 1)).toBe(-1);
  expect(lookAt(MOST_CURVES)).toEqual(lookAt(0));
});

test("an empty range is still drawable", () => {
  expect(Number.isFinite(scale(2, 2, 0, 100)(2))).toBe(true);
});

test("a state is interpolated, and absent past a failed prediction", () => {
  expect(stateAt([0, 1, 2], [[0], [2], [4]], 0.5)).toEqual([1]);
  expect(stateAt([0, 1, 2], [[0], [2]], 1.5)).toBeNull();
  expect(stateAt([], [], 0)).toBeNull();
});

const term = (source: string, negative = false) => ({
  target: "d2y/dt2",
  source,
  latex: source,
  negative,
});
const kinds = (before: ReturnType<typeof term>[], after: ReturnType<typeof term>[]) =>
  termDiff(before, after).map((change) => change.kind);

test("a sign change is one term removed and one added", () => {
  expect(kinds([term("k*y")], [term("k*y", true)])).toEqual(["added", "removed"]);
});

test("a term whose number alone is another has a changed coefficient", () => {
  const [change] = termDiff([term("9.81*sin(y)")], [term("4.9*sin(y)")]);
  expect(change).toMatchObject({ kind: "changed", before: { source: "9.81*sin(y)" } });
  expect(kinds([term("9.81*sin(y)")], [term("4.9*cos(y)")])).toEqual(["added", "removed"]);
  // The 2 of a name is no number.
  expect(kinds([term("k2*y")], [term("k3*y")])).toEqual(["added", "removed"]);
});

test("every term is told of once, whatever stays, comes and goes", () => {
  const before = [term("g"), term("2*vy"), term("3*vy")];
  const after = [term("3*vy"), term("g"), term("5*vy"), term("y")];
  expect(kinds(before, after)).toEqual(["kept", "kept", "changed", "added"]);
});

test("constants that keep their name tell both values", () => {
  expect(changedParams({ k: 1, m: 2, f: null }, { k: 1.5, m: 2, f: 3, n: 4 })).toEqual([
    ["k", 1, 1.5],
  ]);
});
