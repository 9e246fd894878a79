import { expect, it } from "vitest";
import { COLUMNS, columnsOf, columnWords } from "./columns";

const keys = (words: string | undefined) => columnsOf(words).map(({ key }) => key);

it("the usual columns need no word in the address", () => {
  expect(columnWords(keys(undefined))).toEqual({});
});

it("chosen columns stand in their own order, and come back from the address", () => {
  const { columns } = columnWords(["law", "seed", "policy"]);
  expect(columns).toBe("policy,seed,law");
  expect(keys(columns)).toEqual(["system", "policy", "seed", "law"]);
});

it("an unknown column is passed over, and the way to the episode always stays", () => {
  expect(keys("nonsense")).toEqual(["system"]);
  expect(COLUMNS[0]?.key).toBe("system");
});

it("where the list was searched a column leads to what was found", () => {
  expect(columnsOf("seed", true).map(({ key }) => key)).toEqual(["system", "seed", "transcript"]);
  expect(keys("seed")).toEqual(["system", "seed"]);
});
