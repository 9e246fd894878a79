/** The words of a list in an address; undefined where there is none. */
export const parted = (text: string | undefined) => text?.split(",").filter((word) => word !== "");

/** Noise levels as shares: [null] where none is written, undefined where that is no list of percentages. */
export function noisesIn(text: string): (number | null)[] | undefined {
  if (text.trim() === "") return [null];
  const values = text
    .split(",")
    .map((word) => word.trim().replace(/\s*%$/, ""))
    .map((word) => (word === "" ? Number.NaN : Number(word)));
  if (values.some((value) => !(value >= 0 && value <= 100))) return undefined;
  return [...new Set(values)].map((value) => Number((value / 100).toPrecision(6)));
}

/** Seconds as people say them. */
export function spanOf(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Number((seconds / 3600).toPrecision(2))} h`;
}
