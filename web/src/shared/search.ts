// Search parameters of every address. A bad value falls back to its default and never fails.

import type { Chart } from "../viz";

export interface FormSearch {
  system?: string;
  policy?: string;
  seed?: number;
  /** How the run is to be watched. */
  pace?: "slow";
}
export interface EpisodeSearch {
  turn?: number;
  t?: number;
  chart?: Chart;
  /** Drawn so far out that the predictions fit in. */
  zoom?: "out";
  /** Each turn plays once before the next is shown; absent: the newest, as it comes. */
  pace?: "slow";
  /** Shown within another page: without the header. */
  embed?: 1;
}
const LAYOUTS = ["all", "split", "overlay"] as const;
export type Layout = (typeof LAYOUTS)[number];

/** How many episodes are drawn beside each other. */
export const MOST_COMPARED = 6;

export interface CompareSearch extends EpisodeSearch {
  /** All in small, or two of them: beside each other or in one chart. */
  layout?: Layout;
  /** Which two of more than two members are shown. */
  panes?: [number, number];
}

export interface PairSearch extends CompareSearch {
  episode?: string[];
}

export interface EpisodesSearch {
  q?: string;
  system?: string;
  policy?: string;
  outcome?: string;
  tier?: number;
  /** A training run, and one of its steps. */
  run?: string;
  step?: string;
  /** A column of the list, after a minus sign where the largest come first. */
  sort?: string;
  /** The columns that are shown besides, apart by commas. */
  columns?: string;
}

/** The columns that the list can be sorted by. */
export const SORTS = [
  "started",
  "system",
  "policy",
  "outcome",
  "turns",
  "match",
  "length",
] as const;
export type Sort = (typeof SORTS)[number];

export interface TrainingSearch {
  runs?: string;
  smooth?: number;
  /** The step whose values and episodes are shown. */
  step?: number;
  /** Runs that differ in their seed alone, as one curve with a band. */
  group?: 1;
}

/** Which law of a bench is looked at: "front 2", "rival 0", "turn 3", "yours 0". */
export interface BenchSearch {
  law?: string;
  run?: number;
}

/** What of a transcript is shown, and which turn is opened. */
export interface TranscriptSearch {
  only?: "failures";
  q?: string;
  turn?: number;
}

/** How a board is looked at: which number, against whom, and whose episodes are listed. */
export interface BoardSearch {
  metric?: string;
  than?: string;
  suite?: string;
  policy?: string;
  /** Columns: a suite each, or a system each of those that `builtin` pools. */
  by?: "system";
  /** The cell whose episodes are listed: a policy and a suite. */
  of?: string;
  in?: string;
}

/** A plan for many runs, filled in and not started. */
export interface ManySearch {
  policies?: string;
  suites?: string;
}

type Raw = Record<string, unknown>;

const text = (value: unknown) =>
  typeof value === "string" && value !== ""
    ? value
    : typeof value === "number"
      ? `${value}`
      : undefined;
const number = (value: unknown, min: number) => {
  const parsed = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof parsed === "number" && Number.isFinite(parsed) && parsed >= min
    ? parsed
    : undefined;
};
const whole = (value: unknown, min: number) => {
  const parsed = number(value, min);
  return Number.isSafeInteger(parsed) ? parsed : undefined;
};
const chart = (value: unknown): Chart | undefined =>
  value === "time" || value === "phase" || value === "histogram" ? value : undefined;

/** Drops what is undefined, so that defaults never show up in an address. */
function present<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T;
function present(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined));
}

export const formSearch = (raw: Raw) =>
  present<FormSearch>({
    system: text(raw.system),
    policy: text(raw.policy),
    seed: whole(raw.seed, 0),
    pace: raw.pace === "slow" ? "slow" : undefined,
  });
export const episodeSearch = (raw: Raw) =>
  present<EpisodeSearch>({
    turn: whole(raw.turn, 1),
    t: number(raw.t, 0),
    chart: chart(raw.chart),
    zoom: raw.zoom === "out" ? "out" : undefined,
    pace: raw.pace === "slow" ? "slow" : undefined,
    embed: whole(raw.embed, 1) === 1 ? 1 : undefined,
  });

const panes = (value: unknown): [number, number] | undefined => {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [a, b] = value.map((entry) => whole(entry, 0));
  return a === undefined || b === undefined ? undefined : [a, b];
};

export const compareSearch = (raw: Raw) =>
  present<CompareSearch>({
    ...episodeSearch(raw),
    layout: LAYOUTS.find((one) => one === raw.layout),
    panes: panes(raw.panes),
  });

export const pairSearch = (raw: Raw) =>
  present<PairSearch>({
    ...compareSearch(raw),
    episode: Array.isArray(raw.episode)
      ? // One more than is compared, so that the screen can say that it leaves some out.
        [...new Set(raw.episode.flatMap((id) => text(id) ?? []))].slice(0, MOST_COMPARED + 1)
      : undefined,
  });

export const benchSearch = (raw: Raw) =>
  present<BenchSearch>({
    law: /^(front|rival|turn|yours) \d{1,3}$/.test(text(raw.law) ?? "") ? text(raw.law) : undefined,
    run: whole(raw.run, 0),
  });

export const boardSearch = (raw: Raw) =>
  present<BoardSearch>({
    metric: text(raw.metric),
    than: text(raw.than),
    suite: text(raw.suite),
    policy: text(raw.policy),
    by: raw.by === "system" ? "system" : undefined,
    of: text(raw.of),
    in: text(raw.in),
  });

export const manySearch = (raw: Raw) =>
  present<ManySearch>({ policies: text(raw.policies), suites: text(raw.suites) });

export const transcriptSearch = (raw: Raw) =>
  present<TranscriptSearch>({
    only: raw.only === "failures" ? "failures" : undefined,
    q: text(raw.q),
    turn: whole(raw.turn, 1),
  });

export const trainingSearch = (raw: Raw) =>
  present<TrainingSearch>({
    runs: text(raw.runs),
    smooth: number(raw.smooth, 0),
    step: whole(raw.step, 0),
    group: whole(raw.group, 1) === 1 ? 1 : undefined,
  });
export const episodesSearch = (raw: Raw) =>
  present<EpisodesSearch>({
    q: text(raw.q),
    system: text(raw.system),
    policy: text(raw.policy),
    outcome: text(raw.outcome),
    tier: whole(raw.tier, 1),
    run: text(raw.run),
    step: text(raw.step),
    columns: text(raw.columns),
    sort: SORTS.some((name) => raw.sort === name || raw.sort === `-${name}`)
      ? text(raw.sort)
      : undefined,
  });
