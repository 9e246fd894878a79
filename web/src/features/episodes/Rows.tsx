import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { bundled } from "../../api/bundle";
import { api } from "../../api/client";
import type { EpisodeRow, Told } from "../../episode/types";
import { useMedia } from "../../shared/media";
import { type Column, inShort } from "./columns";

const ROW = 44;
const SPARE = 12; // rows drawn beyond what is seen

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
export function Rows({
  rows,
  columns: wanted,
  q,
  sort,
  onSort,
  selected,
  onToggle,
  onEnd,
}: RowsProps) {
  const narrow = useMedia("(max-width: 639px)");
  const columns = narrow ? inShort(wanted) : wanted;
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
      <table
        className="w-full text-left"
        aria-rowcount={rows.length + 1}
        style={{ minWidth: narrow ? undefined : 640 }}
      >
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
