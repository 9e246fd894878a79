import { expect, test } from "vitest";
import { figure, symbol } from "./format";
import { scale, stateAt, ticks } from "./scale";
import { termDiff } from "./termDiff";

test("numbers carry a true minus sign", () => {
  expect(figure(-1.2345)).toBe("\u22121.23");
  expect(figure(-1e-7)).toBe("\u22121.00e\u22127");
});

test("angles are shown as Greek letters", () => {
  expect(symbol("theta")).toBe("θ");
  expect(symbol("dtheta")).toBe("θ\u0307");
  expect(symbol("vy")).toBe("vy");
});

test("ticks are round and within the range", () => {
  expect(ticks(0.13, 1.02, 5)).toEqual([0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticks(3, 3, 5)).toEqual([3]);
});

test("an empty range is still drawable", () => {
  expect(Number.isFinite(scale(2, 2, 0, 100)(2))).toBe(true);
});

test("a state is interpolated, and absent past a failed prediction", () => {
  expect(stateAt([0, 1, 2], [[0], [2], [4]], 0.5)).toEqual([1]);
  expect(stateAt([0, 1, 2], [[0], [2]], 1.5)).toBeNull();
  expect(stateAt([], [], 0)).toBeNull();
});

test("a sign change is one term removed and one added", () => {
  const term = { target: "d2y/dt2", source: "k*y", latex: "k\\,y", negative: false };
  const kinds = termDiff([term], [{ ...term, negative: true }]).map((change) => change.kind);
  expect(kinds).toEqual(["added", "removed"]);
});
