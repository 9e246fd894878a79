import { describe, expect, it } from "vitest";
import { oneEpisode } from "../episode/fixtures";
import { emptyEpisode, reduce } from "../episode/reduce";
import type { Task } from "../episode/types";
import { rightHandSides, toCsv, toPython } from "./exports";

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
const flat = { variables: [variable("x"), variable("y")] } as unknown as Task;

describe("exports", () => {
  const episode = oneEpisode.reduce(reduce, emptyEpisode);
  const task = episode.started?.payload.task;
  const turn = episode.turns[1];

  it("write time, data, prediction and residual", () => {
    if (!task || !turn) throw new Error("the fixture has a turn");
    const [head, first, second] = toCsv(task, turn).split("\n");
    expect(head).toBe("t,x,x_predicted,x_residual");
    expect(first).toBe("0,1,1,0");
    expect(second?.startsWith("1,0.37,0.4,0.03")).toBe(true);
  });

  it("make Python of what the parser printed, never of what a policy wrote", () => {
    if (!task || !turn) throw new Error("the fixture has a turn");
    const script = toPython(task, { ...turn, equation: "dx/dt = __import__('os')" });
    expect(script).toContain("return [-k*x]");
    expect(script).not.toContain("__import__");
  });

  it("give each variable its derivative", () => {
    expect(rightHandSides(pendulum, "d2theta/dt2 = -sin(theta)")).toEqual([
      "dtheta",
      "-sin(theta)",
    ]);
    expect(rightHandSides(flat, "dx/dt = y; dy/dt = -x")).toEqual(["y", "-x"]);
  });
});
