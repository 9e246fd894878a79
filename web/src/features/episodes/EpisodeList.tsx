import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { bundled } from "../../api/bundle";
import { api, exportAddress } from "../../api/client";
import type { EpisodeRow, Told } from "../../episode/types";
import { Menu } from "../../shared/Menu";
import { Failure } from "../../shared/parts";
import { type EpisodesSearch, MOST_COMPARED, present } from "../../shared/search";
import { Again } from "./Again";
import { type Column, Columns, columnsOf, columnWords } from "./columns";
import { Filters } from "./Filters";
import { TagForm, useLabel } from "./Labels";
import { offeredLabels } from "./tags";

const ROW = 44;
const SPARE = 12; // rows drawn beyond what is seen
const LOOK_MS = 4000;
const IDLE_LOOK_MS = 15_000;
/** Pages that are looked at anew by themselves: more of them are a study, not a watch. */
const MOST_WATCHED = 3;
const MOST_EXPORTED = 200;
const MOST_SELECTED = 2000;

interface Props {
  search: EpisodesSearch;
  onSearch: (search: EpisodesSearch) => void;
}

/** All episodes, newest first or by another column, as far as the filters let them through. */
export default function EpisodeList({ search, onSearch }: Props) {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const { columns: wanted, ...asked } = present(search);
  const list = useInfiniteQuery({
    queryKey: ["episodes", asked],
    queryFn: ({ pageParam }) =>
      api.episodes({ ...asked, limit: 200, ...(pageParam && { cursor: pageParam }) }),
    initialPageParam: "",
    placeholderData: keepPreviousData, // sorting anew leaves the table, and the focus, where they are
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: ({ state: { data } }) => {
      if (data === undefined || data.pages.length > MOST_WATCHED) return false;
      const live = data.pages.some(({ items }) => items.some((row) => row.status === "running"));
      return live ? LOOK_MS : IDLE_LOOK_MS;
    },
  });
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  const total = list.data?.pages[0]?.total ?? 0;
  const { sort = "-started", ...filters } = asked;
  const columns = columnsOf(wanted, asked.q !== undefined);
  const filtered = Object.keys(filters).length > 0;
  const selectAll = async () => {
    let found = list.data?.pages ?? [];
    let more = list.hasNextPage;
    while (more && found.length * 200 < MOST_SELECTED) {
      const next = await list.fetchNextPage();
      if (next.error) break;
      found = next.data?.pages ?? found;
      more = next.hasNextPage;
    }
    setSelected(new Set(found.flatMap((page) => page.items.map((row) => row.episode_id))));
  };
  const unseen = [...selected].filter((id) => !rows.some((row) => row.episode_id === id)).length;
  const toggle = (id: string) =>
    setSelected((all) => {
      const next = new Set(all);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  return (
    <section className="grid gap-3" aria-label="All episodes">
      {!bundled && <Filters search={search} onSearch={onSearch} rows={rows} />}
      <div className="flex min-h-8 flex-wrap items-center gap-3">
        <p role="status" className="text-muted">
          {list.isSuccess && `${total} ${total === 1 ? "episode" : "episodes"}`}
          {selected.size > 0 && `, ${selected.size} selected`}
          {unseen > 0 && ` (${unseen} not in this list)`}
        </p>
        {rows.length > 0 && selected.size < rows.length && (
          <button
            type="button"
            className="chip"
            disabled={list.isFetchingNextPage}
            onClick={selectAll}
          >
            {total > MOST_SELECTED ? `Select the first ${MOST_SELECTED}` : `Select all ${total}`}
          </button>
        )}
        {selected.size > 0 && (
          <button type="button" className="chip" onClick={() => setSelected(new Set())}>
            Select none
          </button>
        )}
        {selected.size > 1 && (
          <Link
            to="/compare"
            search={{ episode: [...selected].slice(0, MOST_COMPARED) }}
            className="button"
          >
            {selected.size > MOST_COMPARED
              ? `Compare the first ${MOST_COMPARED} of ${selected.size}`
              : "Compare selected"}
          </Link>
        )}
        {!bundled && selected.size > 0 && (
          <a
            className="button"
            download
            href={exportAddress([...selected].slice(0, MOST_EXPORTED))}
          >
            {selected.size > MOST_EXPORTED
              ? `Export the first ${MOST_EXPORTED} of ${selected.size}`
              : "Export selected"}
          </a>
        )}
        {!bundled && selected.size > 0 && (
          <LabelSelected ids={[...selected]} known={offeredLabels(rows)} />
        )}
        {!bundled && <Again rows={rows.filter((row) => selected.has(row.episode_id))} />}
        <span className="ml-auto flex items-center gap-3">
          {!bundled && (
            <Columns
              chosen={columnsOf(wanted).map(({ key }) => key)}
              onChosen={(keys) => onSearch({ ...asked, ...columnWords(keys) })}
            />
          )}
          <Link to="/file">Open an exported log</Link>
        </span>
      </div>
      {list.error && <Failure error={list.error} again={() => list.refetch()} />}
      {list.isSuccess && rows.length === 0 && (
        <p>
          {filtered ? "No episode passes these filters. " : "No episodes yet. "}
          {filtered ? (
            <button
              type="button"
              className="button"
              onClick={() => onSearch({ columns: wanted, sort: search.sort })}
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
          q={asked.q}
          sort={sort}
          columns={columns}
          onSort={(next) =>
            onSearch({
              ...search,
              sort: next === "-started" ? undefined : next,
            })
          }
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

/** One tag for all that is selected. */
function LabelSelected({ ids, known }: { ids: string[]; known: string[] }) {
  const change = useLabel(ids);
  return (
    <Menu label={`Tag ${ids.length}`} name="Tag what is selected" edge="left">
      {() => (
        <div className="grid gap-2">
          <TagForm
            busy={change.isPending}
            known={known}
            onTag={(changes) => change.mutate(changes)}
          />
          {change.isSuccess && <p role="status">Done.</p>}
          {change.error && <Failure error={change.error} />}
        </div>
      )}
    </Menu>
  );
}

interface RowsProps {
  rows: EpisodeRow[];
  columns: Column[];
  /** What the list was searched for. */
  q: string | undefined;
  sort: string;
  onSort: (sort: string) => void;
  selected: ReadonlySet<string>;
  onToggle: (id: string) => void;
  onEnd: () => void;
}

/** The table; only the rows in sight are in the document. */
function Rows({ rows, columns, q, sort, onSort, selected, onToggle, onEnd }: RowsProps) {
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
  const told = useTold(
    columns.some((column) => column.told) ? rows.slice(from, to).map((row) => row.episode_id) : [],
  );
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
            {columns.map((column) => (
              <Head key={column.key} column={column} current={sort} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {from > 0 && (
            <tr>
              <td colSpan={columns.length + 1} style={{ height: from * ROW, padding: 0 }} />
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
              {columns.map(({ key, cell }) => (
                <td key={key} className="px-2 whitespace-nowrap">
                  {cell(row, told.get(row.episode_id), q)}
                </td>
              ))}
            </tr>
          ))}
          {to < rows.length && (
            <tr>
              <td
                colSpan={columns.length + 1}
                style={{ height: (rows.length - to) * ROW, padding: 0 }}
              />
            </tr>
          )}
        </tbody>
      </table>
    </section>
  );
}

interface HeadProps {
  column: Column;
  current: string;
  onSort: (sort: string) => void;
}

function Head({ column: { head, sort, descending }, current, onSort }: HeadProps) {
  const up = current === sort;
  const down = current === `-${sort}`;
  const next = up || down ? !down : descending;
  // A folder without a server holds its list in one order.
  if (bundled || sort === undefined)
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

/** Laws, tokens and seconds of the rows in sight: asked for only where a column shows them. */
function useTold(ids: string[]): ReadonlyMap<string, Told> {
  const asked = ids.slice(0, 50);
  const { data } = useQuery({
    queryKey: ["told", asked],
    queryFn: () => api.told(asked),
    enabled: asked.length > 0,
    placeholderData: keepPreviousData,
  });
  return new Map(data?.map((one) => [one.episode_id, one]));
}
