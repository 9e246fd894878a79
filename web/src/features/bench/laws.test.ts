import { describe, expect, it } from "vitest";
import type { Discovery, EpisodeView, Fitted, Law } from "../../episode/types";
import { candidates, constants, interval, measured, normalQuantiles, ownCandidates } from "./laws";

const law = (equation: string, complexity: number, more: Partial<Law> = {}): Law => ({
  equation,
  params: {},
  constants: [],
  complexity,
  terms: 1,
  chi2: 1,
  worse_by: 0,
  explains: true,
  examined: true,
  ...more,
});
const turn = (number: number, canonical: string | null) => ({
  turn: number,
  equation: canonical ?? "nonsense",
  params: { k: null },
  parse: {
    canonical,
    rejection: canonical === null ? { message: "" } : null,
    operators: 2,
    param_units: { k: "1/s" },
  },
  simulation: { fitted: { k: 2 }, errors: { k: 0.1 } },
});
const episode = {
  standing: { best_turn: 2 },
  turns: [turn(1, "dx/dt = -k"), turn(2, "dx/dt = -k*x"), turn(3, null)],
} as unknown as EpisodeView;

describe("the laws of a bench", () => {
  it("are the front, rivals that are not on it, and what turns proposed besides", () => {
    const [plain, best] = [law("dx/dt = -k", 1), law("dx/dt = -k*x", 2)];
    const rival = law("dx/dt = -k*x**2", 3);
    const discovery = {
      chosen: best,
      front: [plain, best],
      rivals: [rival, plain],
    } as unknown as Discovery;
    const all = candidates(discovery, episode);
    expect(all.map(({ key }) => key)).toEqual(["front 0", "front 1", "rival 0"]);
    expect(all.filter(({ chosen }) => chosen).map(({ key }) => key)).toEqual(["front 1"]);
  });

  it("are those of the turns where nothing was searched, the best of them chosen", () => {
    const all = candidates(null, episode);
    expect(all.map(({ key, chosen }) => [key, chosen])).toEqual([
      ["turn 1", false],
      ["turn 2", true],
    ]);
    const second = all[1];
    if (!second) throw new Error("there are two");
    expect(constants(second)).toEqual([
      { name: "k", value: 2, error: 0.1, low: 2 - 0.196, high: 2 + 0.196, unit: "1/s" },
    ]);
  });

  it("of one's own stand among them with their constants, unless they could not be followed", () => {
    const a = { name: "a", value: 9.8, error: 0.01, low: 9.78, high: 9.82, unit: "m/s**2" };
    const fitted = (equation: string | null, chi2: number | null) =>
      ({ equation, chi2, complexity: 1, constants: [a] }) as unknown as Fitted;
    const own = ownCandidates([
      fitted(null, null),
      fitted("dx/dt = exp(a*x)", null),
      fitted("dx/dt = -a", 0.9),
    ]);
    expect(own.map(({ key, equation, chi2 }) => [key, equation, chi2])).toEqual([
      ["yours 0", "dx/dt = -a", 0.9],
    ]);
    const [only] = own;
    if (!only) throw new Error("there is one");
    expect(only.params).toEqual({ a: 9.8 });
    expect(constants(only)).toEqual([a]);
  });
});

describe("numbers", () => {
  it("carry as many digits as their error leaves", () => {
    expect(measured(9.81283, 0.0061)).toBe("9.8128 ± 0.0061");
    expect(measured(-123.4, 12)).toBe("\u2212123 ± 12");
    expect(measured(0.5, null)).toBe("0.5");
    expect(measured(2.5e-7, 1e-9)).toBe("2.500×10⁻⁷ ± 1.0×10⁻⁹");
  });

  it("whose error is below their last digit are told with the size of it", () => {
    expect(measured(9.810000000123, 3.3e-8)).toBe("9.81 ± 3.3×10⁻⁸");
    expect(measured(0.09999994, 8.9e-9)).toBe("0.09999994 ± 8.9×10⁻⁹");
    expect(measured(0, 0.002)).toBe("0.0000 ± 0.0020");
  });

  it("of an interval have the digits in which its ends differ", () => {
    expect(interval(4.832, 5.313)).toBe("4.83 to 5.31");
    expect(interval(-0.1, 0.3)).toBe("\u22120.1 to 0.3");
    expect(interval(9.80999993, 9.81000007)).toBe("± 7.0×10⁻⁸");
  });

  it("of the normal distribution are right", () => {
    const quantiles = normalQuantiles(1000);
    expect(quantiles[974]).toBeCloseTo(1.9514798, 6); // scipy.stats.norm.ppf(0.9745)
    expect(quantiles[499]).toBeCloseTo(-0.001253, 5);
    expect(quantiles[0]).toBeCloseTo(-3.2905, 3);
    expect((quantiles[0] ?? 0) + (quantiles[999] ?? 0)).toBeCloseTo(0, 9);
  });
});
