// What a person is writing: right sides and values of constants, with undo. Values in, values out.

import type { Term, TurnView } from "../../episode/types";
import { recallJson, remember } from "../../shared/stored";

export interface Draft {
  /** The right side of each target. */
  sides: string[];
  /** Constants by name; one that is missing counts as 1. */
  values: Record<string, number>;
}

export interface Steps {
  past: Draft[];
  now: Draft;
  future: Draft[];
  /** What the newest step was: typing on, or dragging on, makes no new one. */
  doing: string;
}

const MOST_STEPS = 200;

export const begin = (now: Draft): Steps => ({ past: [], now, future: [], doing: "" });

/** The draft after a change. Changes of one kind in a row are undone at once. */
export function take(steps: Steps, next: Draft, doing = ""): Steps {
  const on = doing !== "" && doing === steps.doing;
  return {
    past: on ? steps.past : [...steps.past, steps.now].slice(-MOST_STEPS),
    now: next,
    future: [],
    doing,
  };
}

export function undo(steps: Steps): Steps {
  const before = steps.past.at(-1);
  if (!before) return steps;
  return {
    past: steps.past.slice(0, -1),
    now: before,
    future: [steps.now, ...steps.future],
    doing: "",
  };
}

export function redo(steps: Steps): Steps {
  const [next, ...future] = steps.future;
  if (!next) return steps;
  return { past: [...steps.past, steps.now], now: next, future, doing: "" };
}

/** The equations that the right sides make; a side with a sign of equality is an equation of its own. */
export function equationOf(targets: readonly string[], sides: readonly string[]): string {
  return targets
    .flatMap((target, i) => {
      const side = (sides[i] ?? "").trim();
      if (side === "") return [];
      return [side.includes("=") ? side : `${target} = ${side}`];
    })
    .join("; ");
}

/** The right side of each target in an equation's text, "" where it has none. */
export function sidesOf(targets: readonly string[], equation: string): string[] {
  const given = new Map(
    equation.split(/[;\n]/).map((part): [string, string] => {
      const [left = "", right = ""] = part.split("=", 2);
      return [left.trim(), right.trim()];
    }),
  );
  return targets.map((target) => given.get(target) ?? "");
}

/** What a turn proposed, as a draft of its own. */
export function draftOf(targets: readonly string[], turn: TurnView | undefined): Draft {
  const constants = { ...turn?.params, ...turn?.simulation.fitted };
  return {
    sides: sidesOf(targets, turn?.parse.canonical ?? turn?.equation ?? ""),
    values: Object.fromEntries(
      Object.entries(constants).flatMap(([name, value]): [string, number][] =>
        value === null ? [] : [[name, value]],
      ),
    ),
  };
}

interface Literal {
  at: number;
  length: number;
  value: number;
}

// A number that is no exponent and no part of a name: 9.81, 1e-3, not the 2 of x**2 or of b2.
const NUMBER = /(?<![\w.])(?<!(?:\*\*|\^)\s*[-(]?)(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])/g;

/** The numbers in a text that can be turned like a constant. */
export function literals(text: string): Literal[] {
  return [...text.matchAll(NUMBER)].map((match) => ({
    at: match.index,
    length: match[0].length,
    value: Number(match[0]),
  }));
}

/** The text with its nth literal replaced. */
export function withLiteral(text: string, index: number, value: number): string {
  const found = literals(text)[index];
  if (!found) return text;
  return text.slice(0, found.at) + plain(value) + text.slice(found.at + found.length);
}

/** A number as the grammar reads it: no more digits than anyone drags by. */
export const plain = (value: number) => String(Number(value.toPrecision(5)));

/** The identifier that ends at a place in a text, "" if none does. */
export function wordBefore(text: string, at: number): string {
  return /(?<![\w.])\p{L}[\p{L}\p{N}_]*$/u.exec(text.slice(0, at))?.[0] ?? "";
}

/** One name replaced by another wherever it stands alone. */
export function renamed(text: string, from: string, to: string): string {
  return text.replace(new RegExp(`(?<![\\w.])${from}(?!\\w)`, "g"), to);
}

/** A letter for a new constant that nothing else is called. */
export function freshName(taken: ReadonlySet<string>): string {
  const letters = [..."abckmpqrsuw"].filter((letter) => !taken.has(letter));
  if (letters[0]) return letters[0];
  let count = 1;
  while (taken.has(`c${count}`)) count++;
  return `c${count}`;
}

export type Finding = NonNullable<TurnView["findings"]>["findings"][number];

/** What a finding would do, in a line. */
export function advice({ kind, term, factor }: Finding): string {
  const amount = Number(Math.abs(factor).toPrecision(3));
  if (kind === "missing") return `Add ${factor < 0 ? "\u2212" : ""}${amount}·${term}`;
  if (kind === "superfluous") return `Drop ${term}`;
  if (kind === "sign") return `Turn the sign of ${term}`;
  return `Make ${term} ${Number(factor.toPrecision(3))} times as strong`;
}

const bare = (text: string) => {
  const squeezed = text.replace(/\s+/g, "");
  return /^\([^()]*\)$/.test(squeezed) ? squeezed.slice(1, -1) : squeezed;
};
const signed = ({ negative, source }: Term) => `${negative ? "-" : ""}${bare(source)}`;
const asked = (text: string) =>
  text.trim().startsWith("-") ? `-${bare(text.trim().slice(1))}` : bare(text);
const isSum = (text: string) => /(?<=[\w)\s])[+-]/.test(text.replace(/\([^()]*\)/g, "x"));
const factorOf = (text: string) => (isSum(text) ? `(${text})` : text);

/** The turn's law with what these findings ask for, all together as they were found. */
export function mended(
  targets: readonly string[],
  turn: TurnView,
  findings: readonly Finding[],
): Draft {
  const draft = draftOf(targets, turn);
  const values = { ...draft.values };
  const taken = new Set(turn.equation.match(/[A-Za-z_]\w*/g) ?? []);
  const sides = targets.map((target, i) => {
    const about = findings.filter((finding) => finding.target === target);
    if (about.length === 0) return draft.sides[i] ?? "";
    const own = turn.parse.terms.filter((term) => term.target === target);
    const found = (term: Term) => about.find((one) => one.kind !== "missing" && isOf(one, term));
    const kept = own.flatMap((term) => {
      const finding = found(term);
      if (!finding) return [piece(term.source, term.negative)];
      return finding.kind === "superfluous" ? [] : [scaled(term, finding.factor, turn, values)];
    });
    const added = about
      .filter((one) => one.kind === "missing" || !own.some((term) => isOf(one, term)))
      .map((one) => {
        const factor = one.kind === "missing" ? one.factor : one.factor - 1;
        const name = freshName(new Set([...taken, ...Object.keys(values)]));
        values[name] = Number(plain(Math.abs(factor)));
        const source = one.term === "1" ? name : `${name}*${factorOf(one.term)}`;
        return piece(source, factor < 0);
      });
    return summed([...kept, ...added]);
  });
  return { sides, values };
}

const piece = (source: string, negative: boolean) => `${negative ? "-" : "+"} ${source}`;
const summed = (pieces: string[]) =>
  pieces.join(" ").replace(/^\+ /, "").replace(/^- /, "-") || "0";
const isOf = (finding: Finding, term: Term) => signed(term) === asked(finding.term);

/** A term times a factor: by the constant that is its alone, or by a number. */
function scaled(
  term: Term,
  factor: number,
  turn: TurnView,
  values: Record<string, number>,
): string {
  const size = Math.abs(factor);
  const negative = factor < 0 ? !term.negative : term.negative;
  const name = soleConstant(term, turn);
  if (name === undefined) return piece(`${plain(size)}*${factorOf(term.source)}`, negative);
  values[name] = Number(plain((values[name] ?? 1) * size));
  return piece(term.source, negative);
}

/** A constant that multiplies this term and stands in no other. */
function soleConstant(own: Term, turn: TurnView): string | undefined {
  const stands = (name: string, text: string) => new RegExp(`(?<![\\w.])${name}(?!\\w)`).test(text);
  return Object.keys(turn.params).find(
    (name) =>
      new RegExp(`^\\(?${name}\\*`).test(own.source.replace(/\s+/g, "")) &&
      turn.parse.terms.every((term) => term === own || !stands(name, term.source)),
  );
}

const keyOf = (id: string) => `draft ${id}`;

/** The draft that was left behind in this browser; null where there is none, or no storage. */
export function stored(id: string, targets: readonly string[]): Draft | null {
  const kept = recallJson(keyOf(id));
  if (typeof kept !== "object" || kept === null || !("sides" in kept) || !("values" in kept))
    return null;
  const { sides, values } = kept;
  if (!Array.isArray(sides) || sides.length !== targets.length) return null;
  if (typeof values !== "object" || values === null) return null;
  return {
    sides: sides.map(String),
    values: Object.fromEntries(
      Object.entries(values).filter(
        (entry): entry is [string, number] => typeof entry[1] === "number",
      ),
    ),
  };
}

/** Keeps the draft for the next visit, or forgets it. */
export const keep = (id: string, draft: Draft | null) =>
  remember(keyOf(id), draft && JSON.stringify(draft));
