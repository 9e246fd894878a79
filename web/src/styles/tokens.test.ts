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
  const [r, g, b] = linear(hex);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string) {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

type Rgb = [number, number, number];

function linear(hex: string): Rgb {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return [r, g, b];
}

const times = (matrix: number[][], [x, y, z]: Rgb): Rgb => {
  const [a = 0, b = 0, c = 0] = matrix.map(([p = 0, q = 0, r = 0]) => p * x + q * y + r * z);
  return [a, b, c];
};

// Linear sRGB to OKLab: B. Ottosson, "A perceptual color space for image processing", 2020.
const TO_LMS = [
  [0.4122214708, 0.5363325363, 0.0514459929],
  [0.2119034982, 0.6806995451, 0.1073969566],
  [0.0883024619, 0.2817188376, 0.6299787005],
];
const TO_LAB = [
  [0.2104542553, 0.793617785, -0.0040720468],
  [1.9779984951, -2.428592205, 0.4505937099],
  [0.0259040371, 0.7827717662, -0.808675766],
];
// Full dichromacy in linear sRGB: Machado, Oliveira and Fernandes, IEEE TVCG 15(6), 2009, table of severity 1.0.
const VISION: Record<string, number[][]> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protan: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deutan: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritan: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

/** How far apart two colours look, in OKLab units times 100. */
function apart(a: string, b: string, vision: number[][]): number {
  const lab = (hex: string) => {
    const seen = times(vision, linear(hex)).map((x) => Math.min(1, Math.max(0, x))) as Rgb;
    return times(TO_LAB, times(TO_LMS, seen).map(Math.cbrt) as Rgb);
  };
  const [x, y] = [lab(a), lab(b)];
  return 100 * Math.hypot(...x.map((value, i) => value - (y[i] ?? 0)));
}

const GROUPS = [
  ["observed", "trained", "untrained", "residual"],
  ["match", "progress", "simplicity", "format"],
];

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
  it.each(Object.keys(VISION))("marks stay apart for %s vision", (name) => {
    for (const group of GROUPS)
      for (const [i, a] of group.entries())
        for (const b of group.slice(i + 1))
          expect(
            apart(theme[a] ?? "", theme[b] ?? "", VISION[name] ?? []),
            `${a} and ${b}`,
          ).toBeGreaterThanOrEqual(11);
  });
});
