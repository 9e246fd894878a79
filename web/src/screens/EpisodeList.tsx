import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "../api/client";
import type { EpisodesSearch } from "../app/search";

export function EpisodeList({ search }: { search: EpisodesSearch }) {
  const list = useInfiniteQuery({
    queryKey: ["episodes", search],
    queryFn: ({ pageParam }) =>
      api.episodes({ ...search, ...(pageParam && { cursor: pageParam }) }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const rows = list.data?.pages.flatMap((page) => page.items) ?? [];
  if (list.error)
    return (
      <p role="alert" className="text-danger">
        {list.error.message}{" "}
        <button type="button" className="button" onClick={() => list.refetch()}>
          Try again
        </button>
      </p>
    );
  if (list.isSuccess && rows.length === 0)
    return (
      <p>
        No episodes yet. <Link to="/run">Run one</Link>.
      </p>
    );
  return (
    <section className="panel overflow-x-auto" aria-label="Episodes" aria-busy={list.isPending}>
      <table className="w-full text-left">
        <thead>
          <tr>
            {["System", "Policy", "Outcome", "Turns", "Best match", "When"].map((head) => (
              <th key={head} scope="col" className="p-2">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.episode_id} className="border-t border-line">
              <td className="p-2">
                <Link to="/episodes/$episodeId" params={{ episodeId: row.episode_id }}>
                  {row.title}
                </Link>
              </td>
              <td className="p-2">{row.policy}</td>
              <td className="p-2">{row.outcome?.replace("_", " ") ?? row.status}</td>
              <td className="p-2">
                {row.turns} of {row.max_turns}
              </td>
              <td className="p-2">{row.best_match.toFixed(2)}</td>
              <td className="p-2">{new Date(row.started_at).toLocaleString()}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {list.hasNextPage && (
        <button type="button" className="button" onClick={() => list.fetchNextPage()}>
          Show more
        </button>
      )}
    </section>
  );
}
