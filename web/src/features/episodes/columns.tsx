import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { EpisodeRow, Outcome, Told } from "../../episode/types";
import type { Sort } from "../../shared/search";
import { OUTCOMES } from "../../shared/words";
import { figure, share } from "../../viz/format";
import { NOTE, tagsOf } from "./tags";

export interface Column {
  key: string;
  head: string;
  /** What the server sorts by; a column without it is not sorted. */
  sort?: Sort;
  /** Which way a first press sorts: numbers from the largest, words from A. */
  descending?: boolean;
  /** It shows what the row itself does not hold. */
  told?: boolean;
  /** Shown unless somebody chose otherwise. */
  usual?: boolean;
  cell: (row: EpisodeRow, told: Told | undefined, q: string | undefined) => ReactNode;
}

const MARKS: Record<Outcome, string> = {
  solved: "✓",
  fits: "≈",
  budget_exhausted: "–",
  abandoned: "×",
  policy_failed: "!",
};

const outcomeOf = (row: EpisodeRow): Outcome | undefined =>
  Object.keys(OUTCOMES).find((one): one is Outcome => one === row.outcome);

const number = (value: number | null | undefined, digits = 3) =>
  value == null ? <span className="text-muted">–</span> : figure(value, digits);

export const COLUMNS: Column[] = [
  {
    key: "system",
    head: "System",
    sort: "system",
    descending: false,
    usual: true,
    cell: (row) => (
      <>
        <Link to="/episodes/$episodeId" params={{ episodeId: row.episode_id }}>
          {row.title}
        </Link>
        {row.tier !== null && <span className="text-xs text-muted"> tier {row.tier}</span>}
      </>
    ),
  },
  {
    key: "policy",
    head: "Policy",
    sort: "policy",
    descending: false,
    usual: true,
    cell: (row) => row.policy,
  },
  {
    key: "outcome",
    head: "Outcome",
    sort: "outcome",
    descending: false,
    usual: true,
    cell: (row) => {
      const outcome = outcomeOf(row);
      return (
        <span className="whitespace-nowrap">
          <span aria-hidden="true">{outcome ? MARKS[outcome] : "●"} </span>
          {outcome ? OUTCOMES[outcome] : row.status}
        </span>
      );
    },
  },
  {
    key: "turns",
    head: "Turns",
    sort: "turns",
    descending: true,
    usual: true,
    cell: (row) => `${row.turns} of ${row.max_turns}`,
  },
  {
    key: "match",
    head: "Best match",
    sort: "match",
    descending: true,
    usual: true,
    cell: (row) => (
      <span className="flex items-center gap-2">
        {row.best_match === null ? "–" : share(row.best_match)}
        <Sparkline values={row.matches} />
      </span>
    ),
  },
  {
    key: "labels",
    head: "Tags",
    usual: true,
    cell: ({ labels }) => (
      <span className="flex max-w-96 items-center gap-1">
        {tagsOf(labels).map((tag) => (
          <span key={tag} className="chip max-w-40 shrink-0 truncate" title={tag}>
            {tag}
          </span>
        ))}
        {labels[NOTE] !== undefined && (
          <span className="min-w-0 max-w-64 truncate text-xs text-muted" title={labels[NOTE]}>
            {labels[NOTE]}
          </span>
        )}
      </span>
    ),
  },
  {
    key: "generalisation",
    head: "Generalisation",
    usual: true,
    cell: ({ generalisation }) =>
      generalisation === null ? <span className="text-muted">–</span> : share(generalisation),
  },
  { key: "reward", head: "Reward", cell: (row) => number(row.total_reward) },
  { key: "seed", head: "Seed", cell: (row) => row.seed ?? <span className="text-muted">–</span> },
  {
    key: "law",
    head: "Law",
    told: true,
    cell: (_, told) => (
      <code className="block max-w-72 truncate" title={told?.law ?? undefined}>
        {told?.law ?? "–"}
      </code>
    ),
  },
  { key: "tokens", head: "Tokens", told: true, cell: (_, told) => number(told?.tokens, 6) },
  { key: "thinking", head: "Seconds", told: true, cell: (_, told) => number(told?.seconds) },
  {
    key: "transcript",
    head: "Transcript",
    cell: ({ episode_id: episodeId }, _, q) => (
      <Link
        to="/episodes/$episodeId/transcript"
        params={{ episodeId }}
        search={q === undefined ? {} : { q }}
      >
        {q === undefined ? "read" : "where it says so"}
      </Link>
    ),
  },
  { key: "parse", head: "Did not parse", cell: (row) => row.parse_failures },
  { key: "door", head: "Door", cell: (row) => row.door },
  {
    key: "when",
    head: "When",
    sort: "started",
    descending: true,
    usual: true,
    cell: (row) => (
      <span className="whitespace-nowrap text-muted">
        {new Date(row.started_at).toLocaleString()}
      </span>
    ),
  },
  {
    key: "length",
    head: "Length",
    sort: "length",
    descending: true,
    cell: (row) => <span className="whitespace-nowrap text-muted">{lasted(row)}</span>,
  },
];

const USUAL = COLUMNS.filter((column) => column.usual).map(({ key }) => key);

/** The columns that an address asks for, the usual ones where it asks for none. The system always leads to the episode; where the list was searched, the transcript leads to what was found. */
export function columnsOf(words: string | undefined, searched = false): Column[] {
  const always = ["system", ...(searched ? ["transcript"] : [])];
  const wanted = [...always, ...(words?.split(",") ?? USUAL)];
  return COLUMNS.filter(({ key }) => wanted.includes(key));
}

/** The columns on a narrow screen: whose an episode is stands below what it is about. */
export function inShort(columns: readonly Column[]): Column[] {
  return columns
    .filter(({ key }) => key !== "policy")
    .map((column) =>
      column.key === "system"
        ? {
            ...column,
            cell: (row) => (
              <span className="grid w-44">
                <Link
                  to="/episodes/$episodeId"
                  params={{ episodeId: row.episode_id }}
                  className="truncate"
                >
                  {row.title}
                </Link>
                <span className="truncate text-xs text-muted">{row.policy}</span>
              </span>
            ),
          }
        : column,
    );
}

/** The same as part of an address; nothing where they are the usual ones. */
export function columnWords(keys: readonly string[]): { columns?: string } {
  const chosen = COLUMNS.map(({ key }) => key).filter((key) => keys.includes(key));
  return chosen.join() === USUAL.join() ? {} : { columns: chosen.join() };
}

interface Props {
  chosen: string[];
  onChosen: (keys: string[]) => void;
}

/** Which columns the list shows. */
export function Columns({ chosen, onChosen }: Props) {
  return (
    <details
      className="relative"
      onKeyDown={(event) => {
        if (event.key === "Escape") event.currentTarget.open = false;
      }}
    >
      <summary className="button">Columns</summary>
      <fieldset className="menu right-0" aria-label="Columns">
        {COLUMNS.filter(({ key }) => key !== "system").map(({ key, head }) => (
          <label key={key} className="flex items-center gap-2">
            <input
              type="checkbox"
              checked={chosen.includes(key)}
              onChange={(event) =>
                onChosen(
                  event.target.checked ? [...chosen, key] : chosen.filter((one) => one !== key),
                )
              }
            />
            {head}
          </label>
        ))}
      </fieldset>
    </details>
  );
}

/** From the first event to the last, in words. */
function lasted({ started_at, updated_at }: Pick<EpisodeRow, "started_at" | "updated_at">): string {
  const seconds = Math.max(0, (Date.parse(updated_at) - Date.parse(started_at)) / 1000);
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** The match of every turn, as a little curve; the number beside it says the best. */
function Sparkline({ values }: { values: readonly number[] }) {
  if (values.length === 0) return null;
  const x = (i: number) => (values.length > 1 ? 2 + (i * 56) / (values.length - 1) : 30);
  const y = (value: number) => 18 - 16 * Math.min(1, Math.max(0, value));
  return (
    <svg width="60" height="20" aria-hidden="true">
      <polyline
        points={values.map((value, i) => `${x(i)},${y(value)}`).join(" ")}
        fill="none"
        stroke="var(--match)"
        strokeWidth="1.5"
      />
      <circle cx={x(values.length - 1)} cy={y(values.at(-1) ?? 0)} r="2" fill="var(--match)" />
    </svg>
  );
}
