// Search parameters of every address. A bad value falls back to its default and never fails.

export type Chart = "time" | "phase" | "histogram";

export interface FormSearch {
  system?: string;
  policy?: string;
  seed?: number;
}
export interface EpisodeSearch {
  turn?: number;
  t?: number;
  chart?: Chart;
}
export interface EpisodesSearch {
  q?: string;
  system?: string;
  policy?: string;
  outcome?: string;
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
  });
export const episodeSearch = (raw: Raw) =>
  present<EpisodeSearch>({
    turn: whole(raw.turn, 1),
    t: number(raw.t, 0),
    chart: chart(raw.chart),
  });
export const episodesSearch = (raw: Raw) =>
  present<EpisodesSearch>({
    q: text(raw.q),
    system: text(raw.system),
    policy: text(raw.policy),
    outcome: text(raw.outcome),
  });
