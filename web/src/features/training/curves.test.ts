import { expect, test } from "vitest";
import { hackingBands, labels, smoothed, spread } from "./curves";

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
