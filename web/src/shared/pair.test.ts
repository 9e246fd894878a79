import { expect, it } from "vitest";
import { defaultPair } from "./pair";

const there = (...names: string[]) =>
  names.map((name) => ({
    name,
    title: name.replace("local:raw", "A model, untrained"),
    reachable: true,
    is_default: name === "search",
  }));

it("a language model after and before its training comes first", () => {
  const all = there("search", "nano", "nano-untrained", "local:m", "local:m-physix", "ollama:q");
  expect(defaultPair(all)).toEqual(["local:m-physix", "local:m"]);
  // As the server lists them once SmolLM2 was fetched: the trained one leads though it is named later.
  const smollm2 = [
    ["local:smollm2", "SmolLM2, untrained"],
    ["local:smollm2-physix", "SmolLM2, trained"],
  ].map(([name = "", title = ""]) => ({ name, title, reachable: true, is_default: false }));
  expect(defaultPair([...there("search", "nano"), ...smollm2])).toEqual([
    "local:smollm2-physix",
    "local:smollm2",
  ]);
});

it("a language model alone stands against the default policy", () => {
  expect(defaultPair(there("search", "sindy", "nano", "ollama:q"))).toEqual(["ollama:q", "search"]);
});

it("without a language model it is the small one after its training and early in it", () => {
  expect(defaultPair(there("search", "nano", "nano-early", "nano-untrained", "sindy"))).toEqual([
    "nano",
    "nano-early",
  ]);
  expect(defaultPair(there("search", "nano", "nano-early", "ollama:q"))).toEqual([
    "ollama:q",
    "search",
  ]);
});

it("a model that cannot be reached is not among them, nor is one that writes nothing readable", () => {
  const all = [
    ...there("search", "nano-untrained", "local:raw", "sindy", "nano"),
    { name: "local:m", title: "m", reachable: false, is_default: false },
  ];
  expect(defaultPair(all)).toEqual(["nano", "search"]);
  expect(defaultPair(there("search", "nano-untrained"))).toEqual(["search"]);
});
