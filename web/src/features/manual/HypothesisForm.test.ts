import { describe, expect, it } from "vitest";
import type { Task } from "../../episode/types";
import { parametersIn, sidesOf } from "./HypothesisForm";

const variable = (name: string, rate_of: string | null = null) => ({
  name,
  rate_of,
  unit: "m",
  symbol: name,
  description: "",
  estimated: false,
});
const pendulum = {
  variables: [variable("theta"), variable("dtheta", "theta")],
} as unknown as Task;

describe("the hypothesis form", () => {
  it("takes an equation apart by its left sides", () => {
    expect(sidesOf(["dx/dt", "dy/dt"], "dy/dt = -x ; dx/dt = k*y")).toEqual(["k*y", "-x"]);
    expect(sidesOf(["dx/dt"], "(nothing)")).toEqual([""]);
  });

  it("gives every name that means nothing yet a slider, and no exponent one", () => {
    expect(parametersIn("-k*sin(theta) + 2e3*b2*t - pi", pendulum, ["sin"])).toEqual(["k", "b2"]);
  });
});
