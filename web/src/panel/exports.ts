import type { Task, TurnView } from "../episode/types";
import { statesOf } from "../viz";

/** Time, then observed, predicted and residual of every variable; empty where nothing was predicted. */
export function toCsv(task: Task, turn: TurnView): string {
  const shown = task.shown[0];
  const states = statesOf(turn.simulation);
  const head = task.variables.flatMap(({ name }) => [
    name,
    `${name}_predicted`,
    `${name}_residual`,
  ]);
  const rows = (shown?.t ?? []).map((t, i) => [
    t,
    ...task.variables.flatMap((_, column) => {
      const observed = shown?.states[i]?.[column] ?? Number.NaN;
      const predicted = states[i]?.[column];
      return [observed, predicted ?? "", predicted === undefined ? "" : predicted - observed];
    }),
  ]);
  return [["t", ...head], ...rows]
    .map((row) => row.join(","))
    .join("\n")
    .concat("\n");
}

/**
 * A script that integrates the hypothesis with SciPy and prints R² of each variable. Made of what the
 * server's parser let through and printed anew, so that no text of a model becomes code.
 */
export function toPython(task: Task, turn: TurnView): string {
  const names = task.variables.map((variable) => variable.name);
  const params = { ...turn.params, ...turn.simulation.fitted };
  const sides = rightHandSides(task, turn.parse.canonical ?? "");
  return `import numpy as np
from math import *  # sin, cos, exp, sqrt, pi, ...
from scipy.integrate import odeint

t = np.array(${JSON.stringify(task.shown[0]?.t ?? [])})
data = np.array(${JSON.stringify(task.shown[0]?.states ?? [])})
${Object.entries(params)
  .map(([name, value]) => `${name} = ${value ?? "nan"}`)
  .join("\n")}


def rates(state, t):
    ${names.join(", ")}${names.length === 1 ? "," : ""} = state
    return [${sides.join(", ")}]


prediction = odeint(rates, data[0], t, rtol=1e-8, atol=1e-10)
for i, name in enumerate(${JSON.stringify(names)}):
    error = ((prediction[:, i] - data[:, i]) ** 2).sum()
    print(name, 1 - error / ((data[:, i] - data[:, i].mean()) ** 2).sum())
`;
}

/** The derivative of each variable, in their order: an equation's right side, or the rate it has itself. */
export function rightHandSides(task: Task, equation: string): string[] {
  const given = new Map<string, string>();
  for (const part of equation.split(";")) {
    const [left = "", right = ""] = part.split("=", 2);
    const second = /^\s*d2(\w+)\/dt2\s*$/.exec(left);
    const first = /^\s*d(\w+)\/dt\s*$/.exec(left);
    const rate = second && task.variables.find((variable) => variable.rate_of === second[1]);
    const target = rate ? rate.name : first?.[1];
    if (target) given.set(target, right.trim());
  }
  return task.variables.map((variable) => {
    const rate = task.variables.find((other) => other.rate_of === variable.name);
    return given.get(variable.name) ?? rate?.name ?? "nan";
  });
}
