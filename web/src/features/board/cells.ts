// A board as a table: one column a suite and noise level, one row a policy. Values in, values out.

import type { Board, BoardRow } from "../../episode/types";

type Interval = BoardRow["metrics"][string];

/** The numbers of a board, in the order in which they are offered: what answers most first, then means. */
export const METRICS: Record<string, { title: string; about: string; share: boolean }> = {
  recovered: { title: "Recovered", about: "the true law with its constants", share: true },
  form: { title: "Right form", about: "the true law up to constants", share: true },
  solved: { title: "Solved", about: "solved by the rules of the board", share: true },
  passed: { title: "Passed", about: "the verifier accepted the law", share: true },
  reconstructed: {
    title: "Reconstruction",
    about: "R² above 0.9 on the motion shown",
    share: true,
  },
  generalised: { title: "Generalisation", about: "R² above 0.9 from other starts", share: true },
  match: { title: "Match", about: "mean match on the data shown", share: false },
  generalisation: { title: "R² held back", about: "mean R² on what was held back", share: false },
  turns: { title: "Turns", about: "mean number of turns", share: false },
  cpu_s: { title: "CPU seconds", about: "mean CPU seconds an episode", share: false },
};

/** Numbers that are told of each policy alone: two are compared by what they find, not by what it took. */
export const ALONE = new Set(["passed", "turns", "cpu_s"]);

export interface Column {
  suite: string;
  noise: number | null;
}

export const nameOfColumn = ({ suite, noise }: Column) =>
  noise === null ? suite : `${suite}, ${Number((100 * noise).toPrecision(3))} % noise`;

/** Whether the board's table is one of systems, and the board with the rows of that table. */
export function laidOut(
  board: Board,
  by: "system" | undefined,
): { bySystem: boolean; laid: Board } {
  const bySystem = by === "system" && board.systems.length > 0;
  return { bySystem, laid: bySystem ? { ...board, rows: board.systems } : board };
}

const same = (a: Column, b: Column) => a.suite === b.suite && a.noise === b.noise;

/** The columns of a board that a filter lets through. */
export function columns(board: Pick<Board, "rows">, suite?: string): Column[] {
  const found: Column[] = [];
  for (const row of board.rows)
    if ((suite === undefined || row.suite === suite) && !found.some((one) => same(one, row)))
      found.push({ suite: row.suite, noise: row.noise });
  return found;
}

export const cellOf = (board: Pick<Board, "rows">, policy: string, column: Column) =>
  board.rows.find((row) => row.policy === policy && same(row, column));

/** The metrics that can be asked for: what at least one row has, be it told to this caller or not. */
export const offered = (board: Pick<Board, "rows">) =>
  Object.keys(METRICS).filter(
    (name) => told(board, name) || board.rows.some((row) => row.withheld.includes(name)),
  );

/** The metric that a board begins with: the one that answers most of those that it tells to this caller. */
export const first = (board: Pick<Board, "rows">) =>
  Object.keys(METRICS).find((name) => told(board, name)) ?? "solved";

const told = (board: Pick<Board, "rows">, metric: string) =>
  board.rows.some((row) => row.metrics[metric]?.mean != null);

/** Why a metric is kept from this caller on some of these tasks; null where all of it is told. */
export const whyHeld = (board: Pick<Board, "rows">, metric: string) =>
  board.rows.find((row) => row.withheld.includes(metric))?.why_withheld ?? null;

export const shown = (value: number, share: boolean) =>
  share ? value.toFixed(2) : String(Number(value.toPrecision(3)));

/** A cell in words: 0.89 [0.79, 0.95], n = 63. */
export function inWords(interval: Interval | undefined, n: number, share: boolean): string {
  if (interval?.mean == null) return "–";
  const { mean, low, high } = interval;
  const bounds =
    low !== null && high !== null ? ` [${shown(low, share)}, ${shown(high, share)}]` : "";
  return `${shown(mean, share)}${bounds}, n = ${n}`;
}

/** What a paired difference says: who is better, or that these tasks do not tell. */
export function verdict(interval: Interval): "better" | "worse" | "unclear" {
  if (interval.low !== null && interval.low > 0) return "better";
  if (interval.high !== null && interval.high < 0) return "worse";
  return "unclear";
}

/** A field of a CSV file, in quotes where it needs them. */
const field = (value: string | number) =>
  /[",\n]/.test(`${value}`) ? `"${`${value}`.replaceAll('"', '""')}"` : `${value}`;

/** The table of one metric as it is shown, as Markdown or CSV. */
export function exported(
  board: Board,
  metric: string,
  kind: "md" | "csv",
  { suite, policy }: { suite?: string | undefined; policy?: string | undefined } = {},
): string {
  const share = METRICS[metric]?.share ?? false;
  const over = columns(board, suite);
  if (kind === "csv") {
    const head = "policy,suite,noise,metric,mean,low,high,n,not_asked";
    const lines = board.rows
      .filter((row) => suite === undefined || row.suite === suite)
      .filter((row) => policy === undefined || row.policy === policy)
      .map((row) => {
        const { mean = null, low = null, high = null } = row.metrics[metric] ?? {};
        return [
          row.policy,
          row.suite,
          row.noise ?? "",
          metric,
          mean ?? "",
          low ?? "",
          high ?? "",
          row.n,
          row.not_asked,
        ]
          .map(field)
          .join(",");
      });
    return `${[head, ...lines].join("\n")}\n`;
  }
  const head = `| policy | ${over.map(nameOfColumn).join(" | ")} |`;
  const rule = `|---|${over.map(() => "---").join("|")}|`;
  const shownOf = board.plan.policies.filter((one) => policy === undefined || one === policy);
  const lines = shownOf.map((one) => {
    const cells = over.map((column) => {
      const row = cellOf(board, one, column);
      return inWords(row?.metrics[metric], row?.n ?? 0, share);
    });
    return `| ${one} | ${cells.join(" | ")} |`;
  });
  return [
    `${METRICS[metric]?.title ?? metric}, ${METRICS[metric]?.about ?? ""} (95 % intervals). ${board.command}`,
    "",
    head,
    rule,
    ...lines,
    "",
  ].join("\n");
}

/** Seconds as people say them. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Number((seconds / 3600).toPrecision(2))} h`;
}
