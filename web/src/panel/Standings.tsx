import { useQueries } from "@tanstack/react-query";
import { bundled } from "../api/bundle";
import { api } from "../api/client";
import type { Standing } from "../episode/types";
import { CARRIED, OUTCOMES } from "../shared/words";
import { save } from "../viz";
import type { MemberState } from "./Compared";
import { type StandingRow, standingsCsv } from "./exports";
import { lawOf } from "./provenance";
import { type Entry, ranked, summary, winner } from "./standing";

const RECOVERED = { exact: "Exactly", recovered: "Yes", different: "No" } as const;

/** How the server says each member stands; the best first, and a winner only where the difference means something. */
export function Standings({ members }: { members: MemberState[] }) {
  const entries = useEntries(members);
  const rows = ranked(entries);
  const best = winner(entries);
  const carried = members[0]?.episode.started?.payload.carried_to ?? null;
  const heads = [
    ["Policy"],
    ["Outcome"],
    ["Turns to solve"],
    ["Generalisation", carried === null ? "nothing was held back" : `on ${CARRIED[carried]}`],
    ["Best match"],
    ["Recovered", "the true law, told after the end"],
    ["Reward as paid"],
    ["Parse failures"],
  ];
  return (
    <section className="panel grid gap-2 overflow-x-auto" aria-label="How they stand" tabIndex={0}>
      <table className="w-full text-left" aria-label="Standings">
        <thead>
          <tr className="align-top">
            {heads.map(([head, note]) => (
              <th key={head} scope="col" className="p-2 font-medium">
                {head}
                {note && <span className="block text-xs font-normal text-muted">{note}</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id} className="border-t border-line">
              <th scope="row" className="p-2 font-semibold">
                {row.label}
                {row.label !== row.policy && (
                  <span className="text-xs font-normal text-muted"> {row.policy}</span>
                )}
                {best?.id === row.id && <span className="pill ml-2 text-ok">★ Best</span>}
              </th>
              <td className="p-2">{row.outcome ? OUTCOMES[row.outcome] : "Playing"}</td>
              <td className="p-2">{row.standing?.turns_to_solve ?? "–"}</td>
              <td className="p-2">{number(row.standing?.generalisation, 3)}</td>
              <td className="p-2">{number(row.standing?.best_match, 3)}</td>
              <td className="p-2">{row.recovered ? RECOVERED[row.recovered] : "–"}</td>
              <td className="p-2">{number(row.standing?.total_reward, 2)}</td>
              <td className="p-2">{row.standing?.parse_failures ?? "–"}</td>
            </tr>
          ))}
          <Difference rows={rows} />
        </tbody>
      </table>
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p role="status" aria-label="Result">
          {summary(entries)}
        </p>
        <button
          type="button"
          className="chip"
          onClick={() =>
            save("standings.csv", new Blob([standingsCsv(rows)], { type: "text/csv" }))
          }
        >
          Save standings as CSV
        </button>
      </div>
      {members.map(
        ({ id, label, episode }) =>
          episode.outcome === "policy_failed" && (
            <p key={id} className="text-danger">
              {label} failed: {episode.failure?.reason ?? "it gave no reason"}
            </p>
          ),
      )}
    </section>
  );
}

/** Each member with what its episode tells once it has ended. */
function useEntries(members: MemberState[]): StandingRow[] {
  const ended = useQueries({
    queries: members.map(({ id, episode, recovered }) => ({
      queryKey: ["episode", id, true],
      queryFn: () => api.episode(id),
      enabled: episode.outcome !== null && recovered === undefined && !bundled,
      staleTime: Number.POSITIVE_INFINITY,
      retry: false,
    })),
  });
  return members.map((member, i) => {
    const { episode } = member;
    const best = ended[i]?.data?.turns.find((turn) => turn.turn === episode.standing?.best_turn);
    const found = episode.turns.find((turn) => turn.turn === episode.standing?.best_turn);
    return {
      id: member.id,
      label: member.label,
      policy: episode.started?.payload.policy ?? "",
      system: episode.started?.payload.task.system_id ?? "",
      seed: episode.started?.payload.task.seed ?? null,
      law: found ? lawOf(found) : "",
      outcome: episode.outcome,
      standing: episode.standing,
      recovered:
        episode.outcome === null ? null : (member.recovered ?? best?.correctness?.verdict ?? null),
    };
  });
}

/** The first of two minus the second. */
function Difference({ rows }: { rows: Entry[] }) {
  const [first, second] = rows;
  if (rows.length !== 2 || !first || !second) return null;
  const gap = (of: (standing: Standing) => number | null, digits: number) => {
    const [a, b] = [first, second].map((row) => (row.standing ? of(row.standing) : null));
    return a == null || b == null ? "–" : signed(a - b, digits);
  };
  return (
    <tr className="border-t border-line text-muted">
      <th scope="row" className="p-2 font-normal">
        Difference
      </th>
      <td className="p-2">–</td>
      <td className="p-2">{gap((standing) => standing.turns_to_solve, 0)}</td>
      <td className="p-2">{gap((standing) => standing.generalisation, 3)}</td>
      <td className="p-2">{gap((standing) => standing.best_match, 3)}</td>
      <td className="p-2">–</td>
      <td className="p-2">{gap((standing) => standing.total_reward, 2)}</td>
      <td className="p-2">{gap((standing) => standing.parse_failures, 0)}</td>
    </tr>
  );
}

const number = (value: number | null | undefined, digits: number) =>
  value?.toFixed(digits).replace("-", "\u2212") ?? "–";

const signed = (value: number, digits: number) => {
  const size = Math.abs(value).toFixed(digits);
  return Number(size) === 0 ? size : `${value < 0 ? "\u2212" : "+"}${size}`;
};
