import { describe, expect, it } from "vitest";
import type { Outcome } from "../episode/types";
import { standingsCsv } from "./exports";
import { type Entry, ranked, summary, winner } from "./standing";

function entry(
  label: string,
  outcome: Outcome | null,
  more: object = {},
  rest: object = {},
): Entry {
  return {
    id: label,
    label,
    outcome,
    recovered: null,
    standing: {
      status: outcome ? "finished" : "running",
      outcome,
      turns: 4,
      turns_to_solve: outcome === "solved" ? 4 : null,
      best_turn: 1,
      best_match: 0.5,
      best_total: 0.5,
      total_reward: 1,
      generalisation: null,
      parse_failures: 0,
      policy_failures: 0,
      policy_failure: null,
      ...more,
    },
    ...rest,
  };
}
const names = (entries: Entry[]) => ranked(entries).map((one) => one.label);

describe("standings", () => {
  it("are sorted by what was found, then by turns, then by what carries over; never by reward", () => {
    const rich = entry("rich", "budget_exhausted", { total_reward: 2.28, best_match: 0.92 });
    const late = entry("late", "solved", { turns_to_solve: 6, total_reward: 3 });
    const soon = entry("soon", "solved", { turns_to_solve: 2, total_reward: 0.8 });
    const fits = entry("fits", "fits");
    expect(names([rich, fits, late, soon])).toEqual(["soon", "late", "fits", "rich"]);
    const carries = entry("carries", "abandoned", { generalisation: 0.9, best_match: 0.1 });
    const shown = entry("shown", "abandoned", { generalisation: 0.2, best_match: 0.9 });
    expect(names([shown, carries])).toEqual(["carries", "shown"]);
  });

  it("name a winner only where one alone got further, and only at the end", () => {
    const solved = entry("a", "solved");
    const lost = entry("b", "budget_exhausted", { total_reward: 2.28 });
    expect(winner([lost, solved])?.label).toBe("a");
    expect(winner([solved, entry("b", null)])).toBeNull();
    expect(winner([solved, entry("b", "solved", { turns_to_solve: 1 })])).toBeNull();
    expect(winner([lost, entry("c", "abandoned")])).toBeNull();
    expect(winner([solved])).toBeNull();
  });

  it("tell two that solved it apart by the true law alone", () => {
    const found = entry("a", "solved", {}, { recovered: "recovered" });
    const other = entry("b", "solved", {}, { recovered: "different" });
    expect(winner([other, found])?.label).toBe("a");
    expect(winner([found, entry("b", "solved", {}, { recovered: "exact" })])).toBeNull();
    // Of one nothing is known.
    expect(winner([found, entry("b", "solved")])).toBeNull();
  });

  it("come to a sentence that is true", () => {
    const solved = entry("A", "solved");
    expect(summary([solved, entry("B", "budget_exhausted")])).toBe("A alone solved it.");
    expect(summary([entry("A", "fits"), entry("B", "abandoned")])).toContain("fits the data shown");
    expect(summary([entry("A", "abandoned"), entry("B", "policy_failed")])).toBe(
      "Neither found a law.",
    );
    expect(summary([solved, entry("B", "solved", { turns: 9, turns_to_solve: 9 })])).toBe(
      "A and B solved it, in 4 and 9 turns: on one task that tells them apart no further.",
    );
    expect(summary([solved, entry("B", null)])).toBe("Still being played.");
  });
});

describe("standings as a file", () => {
  const row = (label: string, law: string, more: object = {}) => ({
    ...entry(label, "solved", { generalisation: 0.987654321 }),
    policy: "nano",
    system: "free_fall",
    seed: 7,
    law,
    ...more,
  });

  it("keep every digit, and leave empty what there is not", () => {
    const text = standingsCsv([
      row("Trained", "dvy/dt = -g; g = 9.81", { recovered: "recovered" }),
      row("You", "", { ...entry("You", null), standing: null, seed: null }),
    ]);
    const [head, first, second] = text.trimEnd().split("\n");
    expect(head?.split(",").length).toBe(14);
    expect(first).toBe(
      "Trained,nano,Trained,free_fall,7,solved,4,4,0.987654321,0.5,recovered,1,0,dvy/dt = -g; g = 9.81",
    );
    expect(second).toBe("You,nano,You,free_fall,,playing,,,,,,,,");
  });

  it("keep a cell whole, and none is a formula to a spreadsheet", () => {
    const text = standingsCsv([row('a,"b"', '=HYPERLINK("http://x")')]);
    expect(text).toContain('"a,""b""",nano');
    expect(text).toContain('"\'=HYPERLINK(""http://x"")"');
  });
});
