import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const css = readFileSync("src/styles/tokens.css", "utf8");
const [light = "", dark = ""] = css.split(':root[data-theme="dark"]');

function tokens(block: string) {
  return Object.fromEntries(
    [...block.matchAll(/--([a-z-]+): (#[0-9a-f]{6});/g)].map((found) => [found[1], found[2]]),
  );
}

function luminance(hex: string) {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string) {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

const TEXT = [
  ...["ink", "muted", "observed", "trained", "untrained", "residual"],
  ...["progress", "simplicity", "format", "ok", "warn", "danger"],
];
const MARKS = ["control", "match"];
const GROUNDS = ["canvas", "surface", "raised"];

describe.each([
  ["light", tokens(light)],
  ["dark", tokens(dark)],
])("in the %s theme", (_, theme) => {
  const pairs = (names: string[]) =>
    names.flatMap((name) => GROUNDS.map((ground): [string, string] => [name, ground]));

  it.each(pairs(TEXT))("%s on %s reads as text", (name, ground) => {
    expect(contrast(theme[name] ?? "", theme[ground] ?? "")).toBeGreaterThanOrEqual(4.5);
  });
  it.each(pairs(MARKS))("%s on %s can be seen", (name, ground) => {
    expect(contrast(theme[name] ?? "", theme[ground] ?? "")).toBeGreaterThanOrEqual(3);
  });
  it("reads on a primary button, whose ground is ink", () => {
    expect(contrast(theme.surface ?? "", theme.ink ?? "")).toBeGreaterThanOrEqual(4.5);
  });
});
