import { expect, test } from "vitest";
import type { RunMetrics } from "../../episode/types";
import {
  configurationOf,
  grouped,
  hackingBands,
  measuredOn,
  nearestValue,
  smoothed,
  titleOf,
  toCsv,
} from "./curves";
import { labels, spread } from "./names";

test("labels leave out what all runs begin with, whole words only", () => {
  expect(labels(["grpo-transfer-s1", "grpo-transfer-s2"])).toEqual(["s1", "s2"]);
  expect(labels(["nano-sft", "nano-small"])).toEqual(["sft", "small"]);
  expect(labels(["grpo-transfer-s1"])).toEqual(["grpo-transfe…"]);
  expect(labels([])).toEqual([]);
});

test("labels that would stand on each other are moved apart, within the chart", () => {
  expect(spread([50, 51, 20], 24, 108)).toEqual([50, 62, 24]);
  expect(spread([107, 108], 24, 108)).toEqual([96, 108]);
});

test("smoothing starts at the first value and skips holes", () => {
  expect(smoothed([null, 1, null, 3], 0.5)).toEqual([null, 1, 1, 2]);
});

test("a band is drawn only where a component rises for long while match falls", () => {
  const steps = Array.from({ length: 60 }, (_, i) => i);
  const up = steps.map((step) => step / 60);
  const down = up.map((value) => 1 - value);
  expect(hackingBands(steps, { match: down, simplicity: up }, "simplicity")).toEqual([[0, 59]]);
  expect(hackingBands(steps, { match: up, simplicity: up }, "simplicity")).toEqual([]);
  expect(hackingBands(steps.slice(0, 15), { match: down, simplicity: up }, "simplicity")).toEqual(
    [],
  );
  expect(hackingBands(steps, { match: down, loss: up }, "loss")).toEqual([]);
});

const run = (id: string, steps: number[], reward: (number | null)[]) =>
  ({
    run: { id, kind: "grpo", model: "nano", profile: "classic" },
    steps,
    series: { reward },
  }) as unknown as RunMetrics;

test("runs that differ in their seed alone come together as mean, least and most", () => {
  expect(["grpo-transfer-s1", "nano_seed12", "nano-sft", "strict-s2"].map(configurationOf)).toEqual(
    ["grpo-transfer", "nano", "nano-sft", "strict"],
  );
  const [both, alone] = grouped([
    run("a-s1", [1, 2, 3], [0, 1, null]),
    run("a-s2", [2, 3], [3, 4]),
    run("b-s1", [1], [7]),
  ]);
  expect(both?.run.id).toBe("a, 2 seeds");
  expect(both?.steps).toEqual([1, 2, 3]);
  expect(both?.series.reward).toEqual([0, 2, 4]);
  expect(both?.low?.reward).toEqual([0, 1, 4]);
  expect(both?.high?.reward).toEqual([0, 3, 4]);
  expect(alone?.run.id).toBe("b-s1");
  expect(alone?.low).toBeUndefined();
});

test("a CSV holds one row a run and step", () => {
  expect(toCsv([run("a", [1, 2], [0.5, null])])).toBe("run,step,reward\na,1,0.5\na,2,\n");
});

test("what was measured on tasks kept apart is told from what was learnt from", () => {
  const names = ["solved", "eval/solved@8", "held-out/solved@1", "heldout_match", "evaluations"];
  expect(names.map(measuredOn)).toEqual([
    "training",
    "watched",
    "held out",
    "held out",
    "training",
  ]);
  expect(names.map(titleOf)).toEqual([
    "share solved",
    "share solved within 8 turns",
    "share solved within 1 turn",
    "match",
    "evaluations",
  ]);
});

test("the readout finds the nearest step that has a value", () => {
  const values = [null, 0.2, null, null, 0.5];
  expect(nearestValue([0, 10, 20, 30, 40], values, 22)).toBe(1);
  expect(nearestValue([0, 10, 20, 30, 40], values, 26)).toBe(4);
  expect(nearestValue([0, 10], [null, null], 5)).toBeUndefined();
});
