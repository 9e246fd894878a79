import { describe, expect, it } from "vitest";
import type { TurnView } from "../../episode/types";
import {
  begin,
  type Draft,
  equationOf,
  type Finding,
  freshName,
  keep,
  literals,
  mended,
  redo,
  renamed,
  sidesOf,
  stored,
  take,
  undo,
  withLiteral,
  wordBefore,
} from "./draft";

const targets = ["d2theta/dt2"];
const draft = (side: string, values: Draft["values"] = {}): Draft => ({ sides: [side], values });
const term = (source: string, negative = false) => ({
  target: "d2theta/dt2",
  source,
  latex: "",
  negative,
});
const turn = {
  equation: "",
  params: { k: 2, c: 0.5 },
  parse: {
    canonical: "d2theta/dt2 = -k*theta - c*dtheta",
    terms: [term("k*theta", true), term("c*dtheta", true)],
  },
  simulation: { fitted: {} },
} as unknown as TurnView;
const finding = (kind: Finding["kind"], of: string, factor: number): Finding => ({
  kind,
  term: of,
  factor,
  target: "d2theta/dt2",
  error: 0.1,
  size: 100,
  role: "other",
});

describe("an equation in parts", () => {
  it("is taken apart by its left sides and put together again", () => {
    expect(sidesOf(["dx/dt", "dy/dt"], "dy/dt = -x ; dx/dt = k*y")).toEqual(["k*y", "-x"]);
    expect(sidesOf(["dx/dt"], "(nothing)")).toEqual([""]);
    expect(equationOf(["dx/dt", "dy/dt"], ["k*y", " -x "])).toBe("dx/dt = k*y; dy/dt = -x");
  });

  it("takes a whole equation written into a field for what it is", () => {
    expect(equationOf(targets, ["θ'' = -k*θ"])).toBe("θ'' = -k*θ");
  });
});

describe("numbers in a text", () => {
  it("have sliders, except exponents and parts of names", () => {
    expect(literals("-9.81*x**2 + b2*1e-3 - x^3/(.5)").map(({ value }) => value)).toEqual([
      9.81, 0.001, 0.5,
    ]);
  });

  it("are replaced where they stand", () => {
    expect(withLiteral("-9.81*x + 2*y", 1, 2.5)).toBe("-9.81*x + 2.5*y");
    expect(withLiteral("-9.81*x", 4, 1)).toBe("-9.81*x");
  });
});

describe("undo", () => {
  it("goes back over typing at once, and forward again", () => {
    let steps = begin(draft(""));
    steps = take(steps, draft("a"), "side 0");
    steps = take(steps, draft("ab"), "side 0");
    steps = take(steps, draft("ab", { a: 2 }), "value a");
    expect(undo(steps).now).toEqual(draft("ab"));
    expect(undo(undo(steps)).now).toEqual(draft(""));
    expect(undo(undo(undo(steps))).now).toEqual(draft(""));
    expect(redo(undo(steps)).now).toEqual(draft("ab", { a: 2 }));
  });
});

describe("findings", () => {
  const law = (...findings: Finding[]) => mended(targets, turn, findings);

  it("add missing terms under new constants, with their signs", () => {
    expect(law(finding("missing", "dtheta**3", -4.82), finding("missing", "1", 2))).toEqual(
      draft("-k*theta - c*dtheta - a*dtheta**3 + b", { k: 2, c: 0.5, a: 4.82, b: 2 }),
    );
  });

  it("are mended together: what is dropped and what is added", () => {
    const all = law(
      finding("superfluous", "-(k*theta)", 0),
      finding("missing", "sin(theta) + theta", -3),
    );
    expect(all.sides).toEqual(["-c*dtheta - a*(sin(theta) + theta)"]);
  });

  it("leave a law of nothing as 0", () => {
    const none = law(finding("superfluous", "-k*theta", 0), finding("superfluous", "-c*dtheta", 0));
    expect(none.sides).toEqual(["0"]);
  });

  it("make a term stronger by the constant that is its alone, and turn a sign", () => {
    expect(law(finding("strength", "-k*theta", 1.5))).toEqual(
      draft("-k*theta - c*dtheta", { k: 3, c: 0.5 }),
    );
    expect(law(finding("sign", "-c*dtheta", -2))).toEqual(
      draft("-k*theta + c*dtheta", { k: 2, c: 1 }),
    );
  });
});

describe("words", () => {
  it("are completed from where the cursor is", () => {
    expect(wordBefore("-k*the", 6)).toBe("the");
    expect(wordBefore("-k*the", 3)).toBe("");
    expect(wordBefore("2e", 2)).toBe("");
    expect(wordBefore("θ", 1)).toBe("θ");
  });

  it("are renamed whole", () => {
    expect(renamed("thta + thta2*thta", "thta", "theta")).toBe("theta + thta2*theta");
  });

  it("name a new constant as nothing else is named", () => {
    expect(freshName(new Set(["a", "b"]))).toBe("c");
  });
});

it("a draft is kept for the next visit, and one that does not fit the task is not taken", () => {
  keep("one", draft("-k*x", { k: 2 }));
  expect(stored("one", targets)).toEqual(draft("-k*x", { k: 2 }));
  expect(stored("one", ["dx/dt", "dy/dt"])).toBeNull();
  keep("one", null);
  expect(stored("one", targets)).toBeNull();
});
