import type { Target, Task, TurnView } from "../episode/types";
import { statesOf } from "../viz";
import type { Entry } from "./standing";

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

/** A member of a comparison as a row of a file. */
export interface StandingRow extends Entry {
  policy: string;
  system: string;
  seed: number | null;
  /** Of its best turn, with its constants; empty where there was none. */
  law: string;
}

const STANDINGS =
  "name,policy,episode_id,system,seed,outcome,turns,turns_to_solve,generalisation,best_match,recovered,total_reward," +
  "parse_failures,law";

/** Standings in the order given, every number as the server says it; empty where there is none. */
export function standingsCsv(rows: readonly StandingRow[]): string {
  const lines = rows.map((row) => {
    const { standing } = row;
    return [
      ...[row.label, row.policy, row.id, row.system].map(quoted),
      row.seed ?? "",
      row.outcome ?? "playing",
      standing?.turns ?? "",
      standing?.turns_to_solve ?? "",
      standing?.generalisation ?? "",
      standing?.best_match ?? "",
      row.recovered ?? "",
      standing?.total_reward ?? "",
      standing?.parse_failures ?? "",
      quoted(row.law),
    ].join(",");
  });
  return `${[STANDINGS, ...lines].join("\n")}\n`;
}

/** Text as one cell, which no spreadsheet takes for a formula: it may come from a model. */
function quoted(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/**
 * A script that integrates the hypothesis with SciPy and prints R² of each variable. Made of what the
 * server's parser let through and printed anew, so that no text of a model becomes code.
 */
export function toPython(task: Task, targets: readonly Target[], turn: TurnView): string {
  const names = task.variables.map((variable) => variable.name);
  const inputs = task.inputs ?? [];
  const params = { ...turn.params, ...turn.simulation.fitted };
  const python = pythonNames([...names, ...inputs.map(({ name }) => name), ...Object.keys(params)]);
  const called = (name: string) => python.get(name) ?? name;
  const sides = rightHandSides(task, targets, turn.parse.canonical ?? "").map((side) =>
    side.replace(/(?<![\w.])[A-Za-z_]\w*/g, called),
  );
  const shown = task.shown[0];
  const start = turn.simulation.starts?.[0] ?? shown?.states[0] ?? [];
  const driven = inputs
    .map(({ name }, i) => `    ${called(name)} = np.interp(t, times, inputs[:, ${i}])\n`)
    .join("");
  return `import numpy as np
from math import *  # sin, cos, exp, sqrt, pi, ...
from scipy.integrate import odeint

times = np.array(${JSON.stringify(shown?.t ?? [])})
data = np.array(${JSON.stringify(shown?.states ?? [])})
${inputs.length > 0 ? `inputs = np.array(${JSON.stringify(shown?.inputs ?? [])})\n` : ""}${Object.entries(
  params,
)
  .map(([name, value]) => `${called(name)} = ${value ?? "nan"}`)
  .join("\n")}


def sign(x):
    return float(x > 0) - float(x < 0)


def rates(state, t):
    ${names.map(called).join(", ")}${names.length === 1 ? "," : ""} = state
${driven}    return [${sides.join(", ")}]


prediction = odeint(rates, ${JSON.stringify(start)}, times, rtol=1e-8, atol=1e-10)
for column, label in enumerate(${JSON.stringify(names)}):
    error = ((prediction[:, column] - data[:, column]) ** 2).sum()
    print(label, 1 - error / ((data[:, column] - data[:, column].mean()) ** 2).sum())
`;
}

/** What Python keeps for itself, and what the script calls its own things. */
const TAKEN = new Set(
  (
    "False None True and as assert async await break class continue def del elif else except finally for " +
    "from global if import in is lambda nonlocal not or pass raise return try while with yield " +
    "np odeint times data inputs sign rates state prediction column label error print enumerate nan"
  ).split(" "),
);

/** Names as Python can hold them: `lambda` becomes `lambda_`, and no two become one. */
function pythonNames(names: string[]): Map<string, string> {
  const used = new Set(names.filter((name) => !TAKEN.has(name)));
  return new Map(
    names.map((name) => {
      let free = name;
      if (TAKEN.has(name)) {
        do free += "_";
        while (used.has(free));
        used.add(free);
      }
      return [name, free];
    }),
  );
}

/** The derivative of each variable, in their order: an equation's right side, or the rate it has itself. */
export function rightHandSides(task: Task, targets: readonly Target[], equation: string): string[] {
  const sides = new Map(
    equation.split(";").map((part): [string, string] => {
      const [left = "", right = ""] = part.split("=", 2);
      return [left.trim(), right.trim()];
    }),
  );
  const given = new Map(targets.map(({ driven, left }) => [driven, sides.get(left)]));
  return task.variables.map((variable) => {
    const rate = task.variables.find((other) => other.rate_of === variable.name);
    return given.get(variable.name) ?? rate?.name ?? "nan";
  });
}
