import type { Term } from "../episode/types";

export interface Change {
  kind: "added" | "removed" | "changed" | "kept";
  term: Term;
  /** What stood there before, where only numbers changed. */
  before?: Term;
}

const NUMBER = /(?<![\w.])\d+(?:\.\d*)?(?:e[+-]?\d+)?(?![\w.])/gi;

const textOf = (term: Term) => `${term.target}:${term.negative ? "-" : ""}${term.source}`;
/** A term without its numbers and its sign: two that agree in this differ in a coefficient only. */
const formOf = (term: Term) => `${term.target}:${term.source.replace(NUMBER, "#")}`;
const hasNumber = (term: Term) => formOf(term) !== `${term.target}:${term.source}`;

/** What became of each term between two turns, in the new order, then what was removed. */
export function termDiff(before: Term[], after: Term[]): Change[] {
  const gone = new Map(before.map((term) => [textOf(term), term]));
  const left = after.filter((term) => !gone.delete(textOf(term)));
  const changes = after.map((term): Change => {
    if (!left.includes(term)) return { kind: "kept", term };
    const match = [...gone].find(([, old]) => hasNumber(old) && formOf(old) === formOf(term));
    if (!match) return { kind: "added", term };
    gone.delete(match[0]);
    return { kind: "changed", term, before: match[1] };
  });
  return [...changes, ...[...gone.values()].map((term): Change => ({ kind: "removed", term }))];
}

type Params = Record<string, number | null>;

/** Constants that keep their name and not their value, with both values. */
export function changedParams(before: Params, after: Params): [string, number, number][] {
  return Object.entries(after).flatMap(([name, now]): [string, number, number][] => {
    const old = before[name];
    return old == null || now === null || old === now ? [] : [[name, old, now]];
  });
}
