// What a file of measurements is taken for, and what was said of it. Values in, values out.

import type { ColumnRole, MeasuredColumn, Measurements, Problem } from "../../episode/types";

export type Kind = ColumnRole["kind"];
export type Given = Readonly<Record<string, ColumnRole>>;

export const KINDS: { kind: Kind; title: string }[] = [
  { kind: "time", title: "time" },
  { kind: "state", title: "state" },
  { kind: "rate", title: "rate of" },
  { kind: "input", title: "input" },
  { kind: "sigma", title: "sigma of" },
  { kind: "run", title: "run" },
  { kind: "ignore", title: "ignore" },
];

export const needsOther = (kind: Kind) => kind === "rate" || kind === "sigma";

/** The roles after one column was said to be something else. Only what was said is sent: the rest is proposed anew. */
export function said(given: Given, column: MeasuredColumn, change: Partial<ColumnRole>): Given {
  const before = given[column.name] ?? roleOf(column);
  const next = { ...before, ...change };
  const kept: ColumnRole = {
    kind: next.kind,
    ...(next.unit && { unit: next.unit }),
    ...(needsOther(next.kind) && next.of && { of: next.of }),
    ...(next.kind === "state" && next.order && { order: next.order }),
  };
  return { ...given, [column.name]: kept };
}

function roleOf({ role }: MeasuredColumn): ColumnRole {
  return { kind: role.kind, of: role.of, order: role.order, unit: role.unit };
}

/** Which columns a rate or a standard deviation can be of. */
export const others = (columns: readonly MeasuredColumn[], name: string) =>
  columns.filter(
    (other) => other.name !== name && (other.role.kind === "state" || other.role.kind === "rate"),
  );

/** Errors first, then warnings, then notes; each as often as it was said. */
export function sorted(problems: readonly Problem[]): Problem[] {
  const rank = { error: 0, warning: 1, note: 2 };
  return [...problems].sort((a, b) => rank[a.severity] - rank[b.severity]);
}

export const hasErrors = (read: Measurements) =>
  read.problems.some((problem) => problem.severity === "error");

/** What is wrong with a cell of the preview, by the line of the file that its row stands in. */
export function atCell(
  problems: readonly Problem[],
  column: string,
  line: number,
): Problem | undefined {
  return problems.find(
    (problem) => problem.line === line && (problem.column === null || problem.column === column),
  );
}

const NAMED: Record<string, string> = {
  ",": "commas",
  ";": "semicolons",
  "\t": "tabs",
  "|": "bars",
  " ": "blanks",
};

/** How a file is written, in a sentence. */
export function dialect({ file_rows, dialect: one }: Measurements): string {
  const parted = NAMED[one.delimiter];
  return [
    `${file_rows} rows`,
    parted && `parted by ${parted}`,
    one.decimal === "," && "decimal commas",
    one.encoding && one.encoding !== "utf-8" && one.encoding,
    one.header_line !== null && `header in line ${one.header_line}`,
    one.units_line !== null && `units in line ${one.units_line}`,
  ]
    .filter((part) => typeof part === "string" && part !== "")
    .join(", ");
}

/** Bytes as the API takes them. */
export async function base64(file: Blob): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let from = 0; from < bytes.length; from += 32_768)
    text += String.fromCharCode(...bytes.subarray(from, from + 32_768));
  return btoa(text);
}
