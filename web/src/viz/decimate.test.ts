import { describe, expect, it } from "vitest";
import { decimated, escapes } from "./decimate";

describe("what a line needs", () => {
  it("is every row while each has a pixel column of its own", () => {
    expect(decimated([0, 1, 2, 3], [5, 1, 9, 2])).toEqual([0, 1, 2, 3]);
  });

  it("is the first, the lowest, the highest and the last of a column, in their order", () => {
    // Rows 0 to 5 share column 0; the lowest is row 4, the highest row 2.
    const x = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 1];
    const y = [3, 4, 9, 5, -2, 3, 0];
    expect(decimated(x, y)).toEqual([0, 2, 4, 5, 6]);
  });

  it("keeps the extremes of any rows, and at most four a column", () => {
    const rows = 10_000;
    const width = 700;
    const x = Array.from({ length: rows }, (_, i) => (i / rows) * width);
    const y = Array.from({ length: rows }, (_, i) => Math.sin(i * 12.9898) * (1 + (i % 97)));
    const kept = decimated(x, y);
    expect(kept.length).toBeLessThanOrEqual(4 * width);
    for (let column = 0; column < width; column++) {
      const all = y.filter((_, i) => Math.floor(x[i] ?? 0) === column);
      const left = kept.filter((i) => Math.floor(x[i] ?? 0) === column).map((i) => y[i] ?? 0);
      expect([Math.min(...left), Math.max(...left)]).toEqual([Math.min(...all), Math.max(...all)]);
    }
  });
});

describe("where a prediction leaves the frame", () => {
  it("is told once each time, with the row farthest out", () => {
    expect(escapes([0, 2, 5, 3, 0, -4, -1, 0.5], -1, 1)).toEqual([
      { from: 1, farthest: 2, value: 5, above: true },
      { from: 5, farthest: 5, value: -4, above: false },
    ]);
  });

  it("is not on the edge itself", () => {
    expect(escapes([1, -1], -1, 1)).toEqual([]);
    expect(escapes([1.000001], -1, 1)).toHaveLength(1);
  });

  it("from above to below is two", () => {
    expect(escapes([2, -2], -1, 1).map((one) => one.above)).toEqual([true, false]);
  });
});
