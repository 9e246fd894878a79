import { useEffect, useRef } from "react";
import type { ParseReport, Term, TurnView } from "../episode/types";
import { figure, unit } from "./format";
import { type Change, changedParams, termDiff } from "./termDiff";

interface Props {
  parse: ParseReport;
  source: string;
  /** By name; null where the verifier was asked to fit it. */
  params: Record<string, number | null>;
  previous: TurnView | null;
  /** Whose equation it is, where several are on the screen. */
  of?: string;
}

/** The hypothesis as mathematics, its constants, and what changed since the turn before. */
export function EquationView({ parse, source, params, previous, of }: Props) {
  if (parse.rejection) return <Rejected parse={parse} source={source} />;
  return (
    <div className="grid gap-2">
      <Typeset latex={parse.latex ?? ""} source={source} of={of} />
      <p className="flex flex-wrap gap-x-4 text-muted">
        {Object.entries(params).map(([name, value]) => (
          <span key={name}>
            {name} = {value === null ? "fitted" : figure(value, 4)}
            {parse.param_units[name] && parse.param_units[name] !== "1"
              ? ` ${unit(parse.param_units[name])}`
              : ""}
          </span>
        ))}
      </p>
      {previous && <Diff parse={parse} params={params} previous={previous} />}
      <details>
        <summary className="text-xs text-muted">Source</summary>
        <pre className="overflow-x-auto whitespace-pre-wrap">{source}</pre>
      </details>
    </div>
  );
}

function Rejected({ parse, source }: { parse: ParseReport; source: string }) {
  const column = parse.rejection?.column ?? 0;
  return (
    <div>
      <pre className="overflow-x-auto whitespace-pre-wrap">
        {column > 0 ? (
          <>
            {source.slice(0, column - 1)}
            <u style={{ textDecorationColor: "var(--danger)", textDecorationThickness: 2 }}>
              {source.slice(column - 1, column) || " "}
            </u>
            {source.slice(column)}
          </>
        ) : (
          source
        )}
      </pre>
      <p className="text-danger">Did not parse. {why(parse)}</p>
    </div>
  );
}

/** Why it was rejected, without the word that programs read. */
export function why({ rejection }: ParseReport): string {
  const { code = "", message = "" } = rejection ?? {};
  return message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
}

interface TypesetProps {
  latex: string;
  source: string;
  of?: string | undefined;
}

/** An equation in display style, in a region of its own that scrolls when it is too long. */
export function Typeset({ latex, source, of }: TypesetProps) {
  const target = useMaths<HTMLElement>(latex, true);
  return (
    <section
      ref={target}
      className="overflow-x-auto"
      style={{ fontSize: "1.12em" }}
      tabIndex={0}
      aria-label={of === undefined ? "Equation" : `Equation of ${of}`}
    >
      <code>{source}</code>
    </section>
  );
}

/** Fetches the typesetting library: apart from the first load, and early enough for the first equation. */
export async function loadMaths() {
  const [katex] = await Promise.all([import("katex"), import("katex/dist/katex.min.css")]);
  return katex;
}

/** Replaces what the element holds by typeset maths, once the library is there. */
function useMaths<T extends HTMLElement>(latex: string, displayMode: boolean) {
  const target = useRef<T>(null);
  useEffect(() => {
    let wanted = true;
    loadMaths().then((katex) => {
      if (!wanted || !target.current) return;
      katex.default.render(latex, target.current, {
        displayMode,
        fleqn: true,
        output: "htmlAndMathml",
        throwOnError: false,
        trust: false,
      });
    });
    return () => {
      wanted = false;
    };
  }, [latex, displayMode]);
  return target;
}

/** Maths within a line, its source until the library is there. */
export function Maths({ latex, source }: { latex: string; source: string }) {
  const target = useMaths<HTMLSpanElement>(latex, false);
  // A new element for new text: what KaTeX has put in the old one is not React's.
  return (
    <span key={latex} ref={target}>
      {source}
    </span>
  );
}

function TermMaths({ term }: { term: Term }) {
  return (
    <Maths
      latex={`${term.negative ? "-" : ""}${term.latex}`}
      source={`${term.negative ? "\u2212" : ""}${term.source}`}
    />
  );
}

interface DiffProps {
  parse: ParseReport;
  params: Record<string, number | null>;
  previous: TurnView;
}

/** What the turn before did not say, or said otherwise: terms, coefficients and constants. */
function Diff({ parse, params, previous }: DiffProps) {
  if (previous.parse.rejection) return null;
  const changes = termDiff(previous.parse.terms, parse.terms).filter(
    (change) => change.kind !== "kept",
  );
  const constants = changedParams(previous.params, params);
  if (changes.length + constants.length === 0) return null;
  const several = new Set(parse.terms.map((term) => term.target)).size > 1;
  return (
    <ul
      className="flex flex-wrap items-baseline gap-x-4 gap-y-1 text-xs"
      aria-label={`Changes since turn ${previous.turn}`}
    >
      <li className="text-muted">Since turn {previous.turn}</li>
      {changes.map((change) => (
        <li key={`${change.kind} ${change.term.target} ${change.term.source}`}>
          <Changed {...change} several={several} />
        </li>
      ))}
      {constants.map(([name, before, after]) => (
        <li key={name}>
          {name} from {figure(before, 4)} to {figure(after, 4)}
        </li>
      ))}
    </ul>
  );
}

function Changed({ kind, term, before, several }: Change & { several: boolean }) {
  const where = several && <span className="text-muted"> in {term.target}</span>;
  if (kind === "added")
    return (
      <ins className="text-ok no-underline">
        added <TermMaths term={term} />
        {where}
      </ins>
    );
  if (kind === "removed")
    return (
      <del className="text-danger no-underline">
        removed <TermMaths term={term} />
        {where}
      </del>
    );
  return (
    <span>
      {before && (
        <del className="text-muted no-underline">
          <TermMaths term={before} />
        </del>
      )}{" "}
      became <TermMaths term={term} />
      {where}
    </span>
  );
}
