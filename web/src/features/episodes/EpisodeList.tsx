import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { bundled } from "../../api/bundle";
import { api, exportAddress } from "../../api/client";
import type { EpisodeRow } from "../../episode/types";
import { Failure } from "../../shared/parts";
import type { EpisodesSearch, Sort } from "../../shared/search";

const ROW = 44;
const SPARE = 12; // rows drawn beyond what is seen
const OUTCOMES = ["solved", "budget_exhausted", "abandoned", "policy_failed"];
const COLUMNS: { head: string; sort: Sort; descending: boolean }[] = [
  { head: "System", sort: "system", descending: false },
  { head: "Policy", sort: "policy", descending: false },
  { head: "Outcome", sort: "outcome", descending: false },
  { head: "Turns", sort: "turns", descending: true },
  { head: "Best match", sort: "match", descending: true },
  { head: "When", sort: "started", descending: true },
  { head: "Length", sort: "length", descending: true },
];
const WIDTH = COLUMNS.length + 1;

interface Props {
  search: EpisodesSearch;
  onSearch: (search: EpisodesSearch) => void;
}

/** All episodes, newest first or by another column, as far as the filters let them through. */
export default function EpisodeList({ search, onSearch }: Props) {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const list = useInfiniteQuery({
    queryKey: ["episodes", search],
    queryFn: ({ pageParam }) =>
      api.episodes({ ...search, limit: 200, ...(pageParam && { cursor: pageParam }) }),
    initialPageParam: "",
    placeholderData: keepPreviousData, // sorting anew leaves the table, and the focus, where they are
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  const total = list.data?.pages[0]?.total ?? 0;
  const { sort = "-started", ...filters } = search;
  const filtered = Object.keys(filters).length > 0;
  const toggle = (id: string) =>
    setSelected((all) => {
      const next = new Set(all);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  return (
    <section className="grid gap-3" aria-label="All episodes">
      {!bundled && <Filters search={search} onSearch={onSearch} />}
      <div className="flex min-h-8 flex-wrap items-center gap-3">
        <p role="status" className="text-muted">
          {list.isSuccess && `${total} ${total === 1 ? "episode" : "episodes"}`}
          {selected.size > 0 && `, ${selected.size} selected`}
        </p>
        {selected.size > 1 && (
          <Link to="/compare" search={{ episode: [...selected].slice(0, 6) }} className="button">
            Compare selected
          </Link>
        )}
        <Link to="/file" className="ml-auto text-sm">
          Open an exported log
        </Link>
        {!bundled && selected.size > 0 && (
          <a className="button" download href={exportAddress([...selected])}>
            Export selected
          </a>
        )}
      </div>
      {list.error && <Failure error={list.error} again={() => list.refetch()} />}
      {list.isSuccess && rows.length === 0 && (
        <p>
          {filtered ? "No episode passes these filters. " : "No episodes yet. "}
          {filtered ? (
            <button
              type="button"
              className="button"
              onClick={() => onSearch(search.sort === undefined ? {} : { sort: search.sort })}
            >
              Clear the filters
            </button>
          ) : (
            <>
              <Link to="/run">Run one</Link>, or open a recorded demo.
            </>
          )}
        </p>
      )}
      {rows.length > 0 && (
        <Rows
          rows={rows}
          sort={sort}
          onSort={(next) => onSearch(next === "-started" ? filters : { ...filters, sort: next })}
          selected={selected}
          onToggle={toggle}
          onEnd={() => {
            if (list.hasNextPage && !list.isFetchingNextPage) list.fetchNextPage();
          }}
        />
      )}
    </section>
  );
}

function Filters({ search, onSearch }: Props) {
  const systems = useQuery({ queryKey: ["systems"], queryFn: api.systems });
  const policies = useQuery({ queryKey: ["policies"], queryFn: api.policies });
  const set = (name: keyof EpisodesSearch, value: string) => {
    const { [name]: _, ...rest } = search;
    onSearch(value === "" ? rest : { ...rest, [name]: name === "tier" ? Number(value) : value });
  };
  const choices: { name: keyof EpisodesSearch; label: string; values: [string, string][] }[] = [
    {
      name: "system",
      label: "System",
      values: systems.data?.map(({ id, title }): [string, string] => [id, title]) ?? [],
    },
    {
      name: "policy",
      label: "Policy",
      values: policies.data?.map(({ name, title }): [string, string] => [name, title]) ?? [],
    },
    {
      name: "outcome",
      label: "Outcome",
      values: OUTCOMES.map((outcome) => [outcome, outcome.replace("_", " ")]),
    },
    { name: "tier", label: "Tier", values: ["1", "2", "3"].map((tier) => [tier, tier]) },
  ];
  // Steps are chosen on the screen of the run, and only taken away here.
  const chips = [
    ...choices,
    { name: "run" as const, label: "Run" },
    { name: "step" as const, label: "Step" },
  ].filter(({ name }) => search[name] !== undefined);
  return (
    <search className="grid gap-2">
      <div className="flex flex-wrap gap-2">
        <label className="grow">
          <span className="text-xs text-muted">Search</span>
          <input
            className="field"
            type="search"
            placeholder="id, title or policy"
            defaultValue={search.q ?? ""}
            onChange={(e) => set("q", e.target.value)}
          />
        </label>
        {choices.map(({ name, label, values }) => (
          <label key={name}>
            <span className="text-xs text-muted">{label}</span>
            <select
              className="field"
              value={search[name] ?? ""}
              onChange={(e) => set(name, e.target.value)}
            >
              <option value="">any</option>
              {values.map(([value, title]) => (
                <option key={value} value={value}>
                  {title}
                </option>
              ))}
            </select>
          </label>
        ))}
      </div>
      {chips.length > 0 && (
        <ul className="flex flex-wrap gap-2">
          {chips.map(({ name, label }) => (
            <li key={name}>
              <button type="button" className="chip" onClick={() => set(name, "")}>
                {label}: {search[name]}
                <span aria-hidden="true"> ×</span>
                <span className="sr-only">, remove</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </search>
  );
}

interface RowsProps {
  rows: EpisodeRow[];
  sort: string;
  onSort: (sort: string) => void;
  selected: ReadonlySet<string>;
  onToggle: (id: string) => void;
  onEnd: () => void;
}

/** The table; only the rows in sight are in the document. */
function Rows({ rows, sort, onSort, selected, onToggle, onEnd }: RowsProps) {
  const box = useRef<HTMLElement>(null);
  const go = useNavigate();
  const [seen, setSeen] = useState({ first: 0, last: 40 });
  const [current, setCurrent] = useState(0);
  const onScroll = () => {
    const { scrollTop = 0, clientHeight = 600 } = box.current ?? {};
    const first = Math.floor(scrollTop / ROW);
    setSeen((before) =>
      before.first === first ? before : { first, last: first + Math.ceil(clientHeight / ROW) },
    );
  };
  // A new order begins at its top.
  useEffect(() => {
    box.current?.scrollTo({ top: 0 });
    setCurrent(0);
  }, [sort]);
  useEffect(() => {
    if (seen.last + SPARE >= rows.length) onEnd();
  });
  const from = Math.max(0, seen.first - SPARE);
  const to = Math.min(rows.length, seen.last + SPARE);
  const press = (event: KeyboardEvent<HTMLElement>) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const row = rows[current];
    if (step !== 0) {
      event.preventDefault();
      const next = Math.min(rows.length - 1, Math.max(0, current + step));
      setCurrent(next);
      const { scrollTop = 0, clientHeight = 600 } = box.current ?? {};
      if (next * ROW < scrollTop) box.current?.scrollTo({ top: next * ROW });
      if ((next + 2) * ROW > scrollTop + clientHeight)
        box.current?.scrollTo({ top: (next + 2) * ROW - clientHeight });
    } else if (event.key === "x" && row) onToggle(row.episode_id);
    else if (event.key === "Enter" && row && event.target === box.current)
      go({ to: "/episodes/$episodeId", params: { episodeId: row.episode_id } });
  };
  return (
    <section
      ref={box}
      className="panel overflow-auto p-0"
      style={{ maxHeight: "70vh", padding: 0 }}
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={press}
      aria-label="Episodes: arrow keys move, Enter opens, x selects"
    >
      <table className="w-full text-left" aria-rowcount={rows.length + 1} style={{ minWidth: 640 }}>
        <thead className="sticky top-0 bg-surface">
          <tr>
            <th scope="col">
              <span className="sr-only">Selected</span>
            </th>
            {COLUMNS.map((column) => (
              <Head key={column.sort} {...column} current={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {from > 0 && (
            <tr>
              <td colSpan={WIDTH} style={{ height: from * ROW, padding: 0 }} />
            </tr>
          )}
          {rows.slice(from, to).map((row, i) => (
            <tr
              key={row.episode_id}
              aria-rowindex={from + i + 2}
              className="border-t border-line"
              style={{
                height: ROW,
                ...(from + i === current && { boxShadow: "inset 3px 0 var(--trained)" }),
              }}
            >
              <td className="px-3">
                <input
                  type="checkbox"
                  aria-label={`Select ${row.title} by ${row.policy}`}
                  checked={selected.has(row.episode_id)}
                  onChange={() => onToggle(row.episode_id)}
                />
              </td>
              <td className="px-2">
                <Link to="/episodes/$episodeId" params={{ episodeId: row.episode_id }}>
                  {row.title}
                </Link>
                {row.tier !== null && <span className="text-xs text-muted"> tier {row.tier}</span>}
              </td>
              <td className="px-2">{row.policy}</td>
              <td className="px-2">
                <span aria-hidden="true">{MARKS[row.outcome ?? ""] ?? "●"} </span>
                {row.outcome?.replace("_", " ") ?? row.status}
              </td>
              <td className="px-2">
                {row.turns} of {row.max_turns}
              </td>
              <td className="px-2">
                <span className="flex items-center gap-2">
                  {row.best_match.toFixed(2)}
                  <Sparkline values={row.matches} />
                </span>
              </td>
              <td className="px-2 whitespace-nowrap text-muted">
                {new Date(row.started_at).toLocaleString()}
              </td>
              <td className="px-2 whitespace-nowrap text-muted">{lasted(row)}</td>
            </tr>
          ))}
          {to < rows.length && (
            <tr>
              <td colSpan={WIDTH} style={{ height: (rows.length - to) * ROW, padding: 0 }} />
            </tr>
          )}
        </tbody>
      </table>
    </section>
  );
}

interface HeadProps {
  head: string;
  sort: Sort;
  /** Which way a first press sorts: numbers from the largest, words from A. */
  descending: boolean;
  current: string;
  onSort: (sort: string) => void;
}

function Head({ head, sort, descending, current, onSort }: HeadProps) {
  const up = current === sort;
  const down = current === `-${sort}`;
  const next = up || down ? !down : descending;
  // A folder without a server holds its list in one order.
  if (bundled)
    return (
      <th scope="col" className="p-2 font-medium">
        {head}
      </th>
    );
  return (
    <th scope="col" className="p-0" aria-sort={up ? "ascending" : down ? "descending" : "none"}>
      <button
        type="button"
        className="w-full whitespace-nowrap p-2 text-left font-medium"
        onClick={() => onSort(`${next ? "-" : ""}${sort}`)}
      >
        {head}
        <span aria-hidden="true">{up ? " ▲" : down ? " ▼" : ""}</span>
      </button>
    </th>
  );
}

/** From the first event to the last, in words. */
export function lasted({ started_at, updated_at }: { started_at: string; updated_at: string }) {
  const seconds = Math.max(0, (Date.parse(updated_at) - Date.parse(started_at)) / 1000);
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

const MARKS: Record<string, string> = {
  solved: "✓",
  budget_exhausted: "–",
  abandoned: "×",
  policy_failed: "!",
};

/** The match of every turn, as a little curve; the number beside it says the best. */
export function Sparkline({ values }: { values: number[] }) {
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
