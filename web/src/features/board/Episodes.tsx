import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "../../api/client";
import type { Board, BoardEpisode } from "../../episode/types";
import { Failure } from "../../shared/parts";
import { nameOfColumn } from "./cells";

const PAGE = 200;

interface Props {
  board: Board;
  policy: string;
  suite: string;
  /** Null: the suite is played as it comes. */
  noise: number | null;
  onClose: () => void;
}

/** The episodes behind a cell. */
export function Episodes({ board, policy, suite, noise, onClose }: Props) {
  const cell = nameOfColumn({ suite, noise });
  const [offset, setOffset] = useState(0);
  const found = useQuery({
    queryKey: ["board episodes", board.id, policy, suite, noise, offset, board.done],
    queryFn: () =>
      api.boardEpisodes(board.id, { policy, suite, offset, ...(noise !== null && { noise }) }),
    placeholderData: keepPreviousData,
  });
  const rows = found.data?.items ?? [];
  return (
    <section className="panel grid gap-2" aria-label={`Episodes of ${policy} on ${cell}`}>
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2>
          {policy} on {cell}
        </h2>
        <button type="button" className="button" onClick={onClose}>
          Close
        </button>
      </div>
      {found.error && <Failure error={found.error} again={() => found.refetch()} />}
      <section
        className="max-h-96 overflow-auto"
        tabIndex={0}
        aria-label={`${found.data?.total ?? 0} episodes`}
      >
        <table className="w-full text-left">
          <thead className="sticky top-0" style={{ background: "var(--surface)" }}>
            <tr>
              {["task", "seed", "outcome", "turns", "match", "CPU s"].map((name) => (
                <th key={name} scope="col" className="px-2 font-medium">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((one) => (
              <tr key={`${one.episode_id} ${one.repetition}`} className="border-t border-line">
                <td className="px-2">
                  {one.status === "played" ? (
                    <Link
                      to="/episodes/$episodeId"
                      params={{ episodeId: one.episode_id }}
                      className="inline-block min-h-6"
                    >
                      {one.case}
                    </Link>
                  ) : (
                    one.case
                  )}
                </td>
                <td className="px-2">{one.seed}</td>
                <td className="px-2">{outcomeOf(one)}</td>
                <td className="px-2">{one.turns}</td>
                <td className="px-2">{one.match === null ? "–" : one.match.toFixed(3)}</td>
                <td className="px-2">{one.cpu_s === null ? "–" : one.cpu_s.toFixed(1)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {(found.data?.total ?? 0) > PAGE && (
        <div className="flex gap-2">
          <button
            type="button"
            className="button"
            disabled={offset === 0}
            onClick={() => setOffset(offset - PAGE)}
          >
            Before
          </button>
          <button
            type="button"
            className="button"
            disabled={offset + PAGE >= (found.data?.total ?? 0)}
            onClick={() => setOffset(offset + PAGE)}
          >
            After
          </button>
        </div>
      )}
    </section>
  );
}

const outcomeOf = (one: BoardEpisode) =>
  one.status !== "played"
    ? `${one.status.replaceAll("_", " ")}${one.note ? `: ${one.note}` : ""}`
    : one.solved
      ? "✓ solved"
      : (one.reason ?? "").replaceAll("_", " ");
