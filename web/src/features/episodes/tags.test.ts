import { expect, it } from "vitest";
import type { EpisodeRow } from "../../episode/types";
import { offeredLabels, tagIn, tagsOf } from "./tags";

it("tags are what people put on an episode: neither its note nor what its run calls it by", () => {
  const labels = { run: "grpo", step: "3", good: "", fig: "2", note: "odd" };
  expect(tagsOf(labels)).toEqual(["fig=2", "good"]);
  expect(tagsOf(labels, ["run", "good"])).toEqual(["fig=2", "step=3"]);
});

it("a tag is a word, or a name and a value", () => {
  expect(tagIn(" good ")).toEqual({ name: "good", value: "" });
  expect(tagIn("fig = 2=b")).toEqual({ name: "fig", value: "2=b" });
  for (const wrong of ["", "=2", "a,b", "x".repeat(65), `a=${"x".repeat(501)}`])
    expect(tagIn(wrong), wrong).toHaveProperty("wrong");
  expect(tagIn("x".repeat(64))).toHaveProperty("name");
});

it("a list is narrowed to a tag, to a name with any value, or to what has a note", () => {
  const rows = [{ labels: { fig: "2", note: "n" } }, { labels: { good: "", run: "r" } }];
  expect(offeredLabels(rows as unknown as EpisodeRow[])).toEqual(["fig", "fig=2", "good", "note"]);
});
