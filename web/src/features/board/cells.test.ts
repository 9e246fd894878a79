import { describe, expect, it } from "vitest";
import type { Board } from "../../episode/types";
import {
  cellOf,
  columns,
  duration,
  exported,
  first,
  inWords,
  laidOut,
  offered,
  verdict,
  whyHeld,
} from "./cells";

const interval = (mean: number | null, low: number | null, high: number | null) => ({
  mean,
  low,
  high,
});
const row = (policy: string, suite: string, noise: number | null, mean: number) => ({
  policy,
  suite,
  noise,
  n: 63,
  not_asked: 1,
  withheld: [],
  metrics: { solved: interval(mean, mean - 0.1, mean + 0.05) },
});
const board = {
  command: "physix board run",
  plan: { policies: ["search", "sindy"] },
  rows: [
    row("search", "odebench", 0, 0.9),
    row("search", "odebench", 0.05, 0.8),
    row("sindy", "odebench", 0, 0.7),
    row("search", "real", null, 0.5),
  ],
} as unknown as Board;

describe("the cells of a board", () => {
  it("stand in one column a suite and noise level", () => {
    expect(columns(board)).toEqual([
      { suite: "odebench", noise: 0 },
      { suite: "odebench", noise: 0.05 },
      { suite: "real", noise: null },
    ]);
    expect(columns(board, "real")).toHaveLength(1);
    expect(cellOf(board, "sindy", { suite: "odebench", noise: 0.05 })).toBeUndefined();
    expect(offered(board)).toEqual(["solved"]);
  });

  it("begin with what this caller is told, and say why of what they are not", () => {
    const why = "told over 20 episodes and more, or to the operator";
    const kept = {
      rows: board.rows.map((one) => ({ ...one, withheld: ["recovered"], why_withheld: why })),
    } as unknown as Board;
    expect(offered(kept)).toEqual(["recovered", "solved"]);
    expect(first(kept)).toBe("solved");
    expect([whyHeld(kept, "recovered"), whyHeld(kept, "solved")]).toEqual([why, null]);
    const all = {
      rows: board.rows.map((one) => ({
        ...one,
        metrics: { ...one.metrics, recovered: interval(0, 0, 0.1) },
      })),
    } as unknown as Board;
    expect([first(all), whyHeld(all, "recovered")]).toEqual(["recovered", null]);
    expect(first({ rows: [] })).toBe("solved");
  });

  it("stand in one column a system where that is asked for and there are any", () => {
    const pooled = {
      ...board,
      rows: [row("search", "builtin", null, 0.5)],
      systems: [
        row("search", "builtin:free_fall", null, 0.9),
        row("search", "builtin:pendulum", null, 0.1),
      ],
    } as unknown as Board;
    const { bySystem, laid } = laidOut(pooled, "system");
    expect(bySystem).toBe(true);
    expect(exported(laid, "solved", "md").split("\n").slice(2, 5)).toEqual([
      "| policy | builtin:free_fall | builtin:pendulum |",
      "|---|---|---|",
      "| search | 0.90 [0.80, 0.95], n = 63 | 0.10 [0.00, 0.15], n = 63 |",
    ]);
    expect(laidOut(pooled, undefined)).toEqual({ bySystem: false, laid: pooled });
    const none = { ...pooled, systems: [] };
    expect(laidOut(none, "system")).toEqual({ bySystem: false, laid: none });
  });

  it("are told with their interval and their number", () => {
    expect(inWords(interval(0.9, 0.8, 0.95), 63, true)).toBe("0.90 [0.80, 0.95], n = 63");
    expect(inWords(undefined, 0, true)).toBe("–");
  });

  it("are exported as Markdown and as CSV", () => {
    const lines = exported(board, "solved", "md").split("\n");
    expect(lines[2]).toBe("| policy | odebench, 0 % noise | odebench, 5 % noise | real |");
    expect(lines[5]).toBe("| sindy | 0.70 [0.60, 0.75], n = 63 | – | – |");
    expect(exported(board, "solved", "csv", { suite: "real" }).split("\n")[1]).toBe(
      "search,real,,solved,0.5,0.4,0.55,63,1",
    );
  });
});

it("an export holds what the filters show, and quotes what a comma would break", () => {
  const one = { policy: "sindy" };
  expect(exported(board, "solved", "md", one).split("\n").slice(4)).toEqual([
    "| sindy | 0.70 [0.60, 0.75], n = 63 | – | – |",
    "",
  ]);
  expect(exported(board, "solved", "csv", one).trim().split("\n")).toHaveLength(2);
  const odd = { ...board, rows: [row('hf:a,"b"', "real", null, 0.5)] } as unknown as Board;
  expect(exported(odd, "solved", "csv").split("\n")[1]).toMatch(/^"hf:a,""b""",real,/);
});

it("a difference is called one only where its interval leaves out zero", () => {
  expect(verdict(interval(0.1, 0.01, 0.2))).toBe("better");
  expect(verdict(interval(-0.1, -0.2, -0.01))).toBe("worse");
  expect(verdict(interval(0.1, -0.01, 0.2))).toBe("unclear");
  expect(verdict(interval(0, 0, 0))).toBe("unclear");
});

it("durations are told as people tell them", () => {
  expect([0.2, 89, 600, 7200, 54_000].map(duration)).toEqual([
    "1 s",
    "89 s",
    "10 min",
    "2 h",
    "15 h",
  ]);
});
