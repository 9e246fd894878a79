import { useEffect, useRef } from "react";
import type { ParseReport, TurnView } from "../episode/types";
import { figure, unit } from "./format";
import { termDiff } from "./termDiff";

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
      {previous && <Diff parse={parse} previous={previous} />}
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
      <p className="text-danger">Did not parse. {parse.rejection?.message}</p>
    </div>
  );
}

export function Typeset({
  latex,
  source,
  of,
}: {
  latex: string;
  source: string;
  of?: string | undefined;
}) {
  const target = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let wanted = true;
    Promise.all([import("katex"), import("katex/dist/katex.min.css")]).then(([katex]) => {
      if (!wanted || !target.current) return;
      katex.default.render(latex, target.current, {
        displayMode: true,
        output: "htmlAndMathml",
        throwOnError: false,
        trust: false,
      });
    });
    return () => {
      wanted = false;
    };
  }, [latex]);
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

function Diff({ parse, previous }: { parse: ParseReport; previous: TurnView }) {
  const changes = termDiff(previous.parse.terms, parse.terms).filter(
    (change) => change.kind !== "kept",
  );
  if (changes.length === 0) return null;
  return (
    <p className="text-xs">
      <span className="text-muted">Since turn {previous.turn}: </span>
      {changes.map((change) =>
        change.kind === "added" ? (
          <ins key={`+${change.text}`} className="mr-2 text-ok" style={{ textDecoration: "none" }}>
            + {change.text}
          </ins>
        ) : (
          <del key={`-${change.text}`} className="mr-2 text-danger">
            {change.text}
          </del>
        ),
      )}
    </p>
  );
}
