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
});

it("a language model alone stands against the default policy", () => {
  expect(defaultPair(there("search", "sindy", "nano", "ollama:q"))).toEqual(["ollama:q", "search"]);
});

it("a model that cannot be reached is not among them, nor is one that writes nothing readable", () => {
  const all = [
    ...there("search", "nano-untrained", "local:raw", "sindy", "nano"),
    { name: "local:m", title: "m", reachable: false, is_default: false },
  ];
  expect(defaultPair(all)).toEqual(["nano", "search"]);
  expect(defaultPair(there("search", "nano-untrained"))).toEqual(["search"]);
});
