import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { oneEpisode } from "../episode/fixtures";
import { emptyEpisode, reduce } from "../episode/reduce";
import type { Task, TurnView } from "../episode/types";
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

const second = { variable: "theta", order: 2, driven: "dtheta", left: "d2theta/dt2" };
const first = (name: string) => ({ variable: name, order: 1, driven: name, left: `d${name}/dt` });

describe("exports", () => {
  const episode = oneEpisode.reduce(reduce, emptyEpisode);
  const task = episode.started?.payload.task;
  const turn = episode.turns[1];
  const targets = episode.started?.payload.targets ?? [];

  it("write time, data, prediction and residual", () => {
    if (!task || !turn) throw new Error("the fixture has a turn");
    const [head, first, second] = toCsv(task, turn).split("\n");
    expect(head).toBe("t,x,x_predicted,x_residual");
    expect(first).toBe("0,1,1,0");
    expect(second?.startsWith("1,0.37,0.4,0.03")).toBe(true);
  });

  it("make Python of what the parser printed, never of what a policy wrote", () => {
    if (!task || !turn) throw new Error("the fixture has a turn");
    const script = toPython(task, targets, { ...turn, equation: "dx/dt = __import__('os')" });
    expect(script).toContain("return [-k*x]");
    expect(script).not.toContain("__import__");
  });

  it("rename what Python cannot hold or the script needs itself, and run", () => {
    const t = Array.from({ length: 41 }, (_, i) => i / 10);
    const names = { data: "lambda", rates: "state", force: "in" };
    // data' = -lambda*data + in, in = 1: solved by 1/2 + 3/2 exp(-2 t).
    const spiral = {
      variables: [variable("data")],
      inputs: [variable(names.force)],
      shown: [
        { t, states: t.map((at) => [0.5 + 1.5 * Math.exp(-2 * at)]), inputs: t.map(() => [1]) },
      ],
    } as unknown as Task;
    const law = {
      params: { lambda: 2, lambda_: 0, column: 1, nan: 0 },
      simulation: { fitted: {} },
      parse: { canonical: "ddata/dt = -lambda*data + in*column + lambda_*sign(data) + nan" },
    } as unknown as TurnView;
    const script = toPython(
      spiral,
      [{ variable: "data", order: 1, driven: "data", left: "ddata/dt" }],
      law,
    );
    expect(script).toContain("lambda__ = 2");
    const said = execFileSync("python", ["-c", script], { encoding: "utf8" });
    const [label, r2] = said.trim().split(" ");
    expect(label).toBe("data");
    expect(Number(r2)).toBeGreaterThan(1 - 1e-9);
  });

  it("give each variable its derivative", () => {
    expect(rightHandSides(pendulum, [second], "d2theta/dt2 = -sin(theta)")).toEqual([
      "dtheta",
      "-sin(theta)",
    ]);
    expect(rightHandSides(flat, [first("x"), first("y")], "dx/dt = y; dy/dt = -x")).toEqual([
      "y",
      "-x",
    ]);
  });
});
