// Search parameters of every address. A bad value falls back to its default and never fails. What is read names every
// key, as undefined where the address says nothing or nonsense: the router lets stand what a reader leaves out, and
// writes no undefined into an address.

import type { Chart } from "../viz";

export interface FormSearch {
  system?: string | undefined;
  policy?: string | undefined;
  seed?: number | undefined;
  /** How the run is to be watched. */
  pace?: "slow" | undefined;
}
export interface EpisodeSearch {
  turn?: number | undefined;
  t?: number | undefined;
  chart?: Chart | undefined;
  /** Drawn so far out that the predictions fit in. */
  zoom?: "out" | undefined;
  /** Each turn plays once before the next is shown; absent: the newest, as it comes. */
  pace?: "slow" | undefined;
  /** Shown within another page: without the header. */
  embed?: 1 | undefined;
}
const LAYOUTS = ["all", "split", "overlay"] as const;
export type Layout = (typeof LAYOUTS)[number];

/** How many episodes are drawn beside each other. */
export const MOST_COMPARED = 6;

export interface CompareSearch extends EpisodeSearch {
  /** All in small, two of them beside each other, or all in one chart. */
  layout?: Layout | undefined;
  /** Which two of more than two members are shown. */
  panes?: [number, number] | undefined;
  /** Members, by place, that are left out where all are in one chart. */
  without?: number[] | undefined;
}

interface PairSearch extends CompareSearch {
  episode?: string[] | undefined;
}

export interface EpisodesSearch {
  q?: string | undefined;
  system?: string | undefined;
  policy?: string | undefined;
  outcome?: string | undefined;
  tier?: number | undefined;
  /** A training run, and one of its steps. */
  run?: string | undefined;
  step?: string | undefined;
  /** Labels that an episode has, as "name" or "name=value". */
  label?: string[] | undefined;
  /** A column of the list, after a minus sign where the largest come first. */
  sort?: string | undefined;
  /** The columns that are shown besides, apart by commas. */
  columns?: string | undefined;
}

/** The columns that the list can be sorted by. */
const SORTS = ["started", "system", "policy", "outcome", "turns", "match", "length"] as const;
export type Sort = (typeof SORTS)[number];

/** How much of the mean before a value is kept at most: at 1 a curve would never move. */
export const MOST_SMOOTH = 0.95;

export interface TrainingSearch {
  runs?: string | undefined;
  smooth?: number | undefined;
  /** The step whose values and episodes are shown. */
  step?: number | undefined;
  /** Runs that differ in their seed alone, as one curve with a band. */
  group?: 1 | undefined;
}

/** Which law of a bench is looked at: "front 2", "rival 0", "turn 3", "yours 0". */
export interface BenchSearch {
  law?: string | undefined;
  run?: number | undefined;
}

/** What of a transcript is shown, and which turn is opened. */
export interface TranscriptSearch {
  only?: "failures" | undefined;
  q?: string | undefined;
  turn?: number | undefined;
}

/** How a board is looked at: which number, against whom, and whose episodes are listed. */
export interface BoardSearch {
  metric?: string | undefined;
  than?: string | undefined;
  suite?: string | undefined;
  policy?: string | undefined;
  /** Columns: a suite each, or a system each of those that `builtin` pools. */
  by?: "system" | undefined;
  /** The cell whose episodes are listed: a policy and a suite. */
  of?: string | undefined;
  in?: string | undefined;
  /** The noise of that cell, as a share, where the suite is played at several levels. */
  at?: number | undefined;
}

/** A plan for many runs, filled in and not started. */
export interface ManySearch {
  policies?: string | undefined;
  suites?: string | undefined;
}

type Raw = Record<string, unknown>;
type Every<Search> = { [Key in keyof Search]-?: Search[Key] };

const text = (value: unknown) =>
  typeof value === "string" && value !== ""
    ? value
    : typeof value === "number"
      ? `${value}`
      : undefined;
const texts = (value: unknown) => {
  const found = (Array.isArray(value) ? value : [value]).flatMap((one) => text(one) ?? []);
  return found.length > 0 ? [...new Set(found)] : undefined;
};
const number = (value: unknown, min: number, max = Number.MAX_VALUE) => {
  const parsed = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof parsed === "number" && parsed >= min && parsed <= max ? parsed : undefined;
};
const whole = (value: unknown, min: number) => {
  const parsed = number(value, min);
  return Number.isSafeInteger(parsed) ? parsed : undefined;
};
const chart = (value: unknown): Chart | undefined =>
  value === "time" || value === "phase" || value === "histogram" ? value : undefined;

/** Without the keys of what is undefined. */
export function present<Search extends object>(
  search: Search,
): { [Key in keyof Search]?: Exclude<Search[Key], undefined> };
export function present(search: object): object {
  return Object.fromEntries(Object.entries(search).filter(([, entry]) => entry !== undefined));
}

export const formSearch = (raw: Raw): FormSearch =>
  ({
    system: text(raw.system),
    policy: text(raw.policy),
    seed: whole(raw.seed, 0),
    pace: raw.pace === "slow" ? "slow" : undefined,
  }) satisfies Every<FormSearch>;
export const episodeSearch = (raw: Raw): EpisodeSearch =>
  ({
    turn: whole(raw.turn, 1),
    t: number(raw.t, 0),
    chart: chart(raw.chart),
    zoom: raw.zoom === "out" ? "out" : undefined,
    pace: raw.pace === "slow" ? "slow" : undefined,
    embed: whole(raw.embed, 1) === 1 ? 1 : undefined,
  }) satisfies Every<EpisodeSearch>;

const panes = (value: unknown): [number, number] | undefined => {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [a, b] = value.map((entry) => whole(entry, 0));
  return a === undefined || b === undefined ? undefined : [a, b];
};

const places = (value: unknown): number[] | undefined => {
  const found = (Array.isArray(value) ? value : [value]).flatMap((one) => whole(one, 0) ?? []);
  return found.length > 0 ? [...new Set(found)].slice(0, MOST_COMPARED) : undefined;
};

export const compareSearch = (raw: Raw): CompareSearch =>
  ({
    ...episodeSearch(raw),
    layout: LAYOUTS.find((one) => one === raw.layout),
    panes: panes(raw.panes),
    without: places(raw.without),
  }) satisfies Every<Omit<CompareSearch, keyof EpisodeSearch>>;

export const pairSearch = (raw: Raw): PairSearch =>
  ({
    ...compareSearch(raw),
    episode: Array.isArray(raw.episode)
      ? // One more than is compared, so that the screen can say that it leaves some out.
        [...new Set(raw.episode.flatMap((id) => text(id) ?? []))].slice(0, MOST_COMPARED + 1)
      : undefined,
  }) satisfies Every<Omit<PairSearch, keyof CompareSearch>>;

export const benchSearch = (raw: Raw): BenchSearch =>
  ({
    law: /^(front|rival|turn|yours) \d{1,3}$/.test(text(raw.law) ?? "") ? text(raw.law) : undefined,
    run: whole(raw.run, 0),
  }) satisfies Every<BenchSearch>;

export const boardSearch = (raw: Raw): BoardSearch =>
  ({
    metric: text(raw.metric),
    than: text(raw.than),
    suite: text(raw.suite),
    policy: text(raw.policy),
    by: raw.by === "system" ? "system" : undefined,
    of: text(raw.of),
    in: text(raw.in),
    at: number(raw.at, 0, 1),
  }) satisfies Every<BoardSearch>;

export const manySearch = (raw: Raw): ManySearch =>
  ({ policies: text(raw.policies), suites: text(raw.suites) }) satisfies Every<ManySearch>;

export const transcriptSearch = (raw: Raw): TranscriptSearch =>
  ({
    only: raw.only === "failures" ? "failures" : undefined,
    q: text(raw.q),
    turn: whole(raw.turn, 1),
  }) satisfies Every<TranscriptSearch>;

export const trainingSearch = (raw: Raw): TrainingSearch =>
  ({
    runs: text(raw.runs),
    smooth: number(raw.smooth, 0, MOST_SMOOTH),
    step: whole(raw.step, 0),
    group: whole(raw.group, 1) === 1 ? 1 : undefined,
  }) satisfies Every<TrainingSearch>;
export const episodesSearch = (raw: Raw): EpisodesSearch =>
  ({
    q: text(raw.q),
    system: text(raw.system),
    policy: text(raw.policy),
    outcome: text(raw.outcome),
    tier: whole(raw.tier, 1),
    run: text(raw.run),
    step: text(raw.step),
    label: texts(raw.label),
    columns: text(raw.columns),
    sort: SORTS.some((name) => raw.sort === name || raw.sort === `-${name}`)
      ? text(raw.sort)
      : undefined,
  }) satisfies Every<EpisodesSearch>;
