import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { bundled } from "../../api/bundle";
import { api, exportAddress } from "../../api/client";
import type { EpisodeRow } from "../../episode/types";
import { Menu } from "../../shared/Menu";
import { Failure } from "../../shared/parts";
import { type EpisodesSearch, MOST_COMPARED, present } from "../../shared/search";
import { Again } from "./Again";
import { Columns, columnsOf, columnWords } from "./columns";
import { Filters } from "./Filters";
import { TagForm, useLabel } from "./Labels";
import { Rows } from "./Rows";
import { offeredLabels } from "./tags";

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
        {!bundled && selected.size > 0 && <ExportSelected ids={[...selected]} rows={rows} />}
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

/** What is selected, as it is logged. An episode that is still played would tell its truth: it waits. */
function ExportSelected({ ids, rows }: { ids: string[]; rows: EpisodeRow[] }) {
  const running = new Set(
    rows.filter(({ status }) => status === "running").map((row) => row.episode_id),
  );
  const ended = ids.filter((id) => !running.has(id));
  const taken = ended.slice(0, MOST_EXPORTED);
  if (taken.length === 0)
    return (
      <span className="text-muted">None of them has ended: there is nothing to export yet.</span>
    );
  return (
    <a className="button" download href={exportAddress(taken)}>
      {taken.length === ids.length
        ? "Export selected"
        : ended.length < ids.length && taken.length === ended.length
          ? `Export ${taken.length} of ${ids.length}, which have ended`
          : `Export the first ${taken.length} of ${ids.length}`}
    </a>
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
