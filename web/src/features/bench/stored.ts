// The laws that somebody fitted on a bench, as this browser keeps them: of an episode's data, which never change.

import type { Fitted } from "../../episode/types";
import { recallJson, remember } from "../../shared/stored";
import { ran } from "./laws";

const keyOf = (id: string) => `laws ${id}`;

/** The laws that were left behind in this browser, oldest first; none where there is no storage. */
export function storedLaws(id: string): Fitted[] {
  const kept = recallJson(keyOf(id));
  return Array.isArray(kept) ? kept.filter(isFitted) : [];
}

/** Keeps the laws for the next visit, without what nothing on a bench shows of them. */
export function storeLaws(id: string, fits: readonly Fitted[]): void {
  const short = fits.map((one) => ({ ...one, residuals: [], findings: null }));
  remember(keyOf(id), JSON.stringify(short));
}

/** Whether it is what today's page lays out: an older page may have kept another shape. */
function isFitted(value: unknown): value is Fitted {
  if (typeof value !== "object" || value === null) return false;
  const one = value as Partial<Fitted>;
  return (
    typeof one.equation === "string" &&
    typeof one.chi2 === "number" &&
    typeof one.complexity === "number" &&
    typeof one.missing === "string" &&
    Array.isArray(one.said) &&
    [one.constants, one.from_all_rows].every(
      (all) =>
        Array.isArray(all) && all.every(({ name, value: found }) => name && Number.isFinite(found)),
    ) &&
    ran(one as Fitted)
  );
}
