import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "../../api/client";
import type { BoardSummary } from "../../episode/types";
import { Failure, Loading } from "../../shared/parts";

const LOOK_MS = 4000;

/** Every board of this server, and the one that ships with the program. */
export default function BoardList() {
  const boards = useQuery({
    queryKey: ["boards"],
    queryFn: api.boards,
    refetchInterval: (query) =>
      query.state.data?.items.some((one) => one.state === "running") ? LOOK_MS : false,
  });
  return (
    <div className="grid gap-4">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="max-w-3xl">
          Policies set against suites of tasks: shares with their intervals, differences pair by
          pair. One episode is an example; a board is evidence.
        </p>
        <Link to="/many" className="button primary no-underline">
          Run many
        </Link>
      </div>
      {boards.error && <Failure error={boards.error} again={() => boards.refetch()} />}
      {!boards.data && !boards.error && <Loading what="the boards" />}
      {boards.data?.items.length === 0 && (
        <p>
          No boards yet. <Link to="/many">Run many</Link>, or in a terminal{" "}
          <code>physix board run --suites odebench --policies search,sindy</code>.
        </p>
      )}
      <ul className="grid gap-3 md:grid-cols-2">
        {boards.data?.items.map((one) => (
          <li key={one.id} className="panel grid gap-2">
            <div className="flex flex-wrap items-baseline justify-between gap-2">
              <Link to="/board/$boardId" params={{ boardId: one.id }} className="font-semibold">
                {one.name || one.id}
              </Link>
              <State board={one} />
            </div>
            <p>
              {one.plan.policies.join(", ")} on {one.plan.suites.join(", ")}
            </p>
            <p className="text-xs text-muted">
              {one.done} of {one.total} episodes, {new Date(one.created_at).toLocaleString()}
            </p>
          </li>
        ))}
      </ul>
    </div>
  );
}

const SHAPES: Record<BoardSummary["state"], string> = {
  running: "●",
  paused: "‖",
  interrupted: "‖",
  finished: "■",
  cancelled: "×",
  failed: "!",
};

/** How a board stands, in a word and a shape. */
export function State({ board }: { board: Pick<BoardSummary, "state"> }) {
  return (
    <span className={board.state === "running" ? "text-ok" : "text-muted"}>
      <span aria-hidden="true">{SHAPES[board.state]} </span>
      {board.state}
    </span>
  );
}
