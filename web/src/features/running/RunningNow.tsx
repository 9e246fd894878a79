import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { api } from "../../api/client";
import { driven as noteDriven } from "../../episode/store";
import type { BoardSummary, RunningEpisode } from "../../episode/types";
import { Menu } from "../../shared/Menu";
import { nameOf } from "../../shared/words";

const LOOK_MS = 4000;

interface Item {
  id: string;
  kind: "episode" | "comparison" | "board";
  title: string;
  detail: string;
  driven: boolean;
}

/** Episodes as they are driven: those of a comparison together. */
export function itemsOf(episodes: readonly RunningEpisode[]): Item[] {
  const together = new Map<string, RunningEpisode[]>();
  for (const one of episodes) {
    const id = one.comparison_id ?? one.episode_id;
    together.set(id, [...(together.get(id) ?? []), one]);
  }
  return [...together].map(([id, members]) => ({
    id,
    kind: members[0]?.comparison_id != null ? "comparison" : "episode",
    title: members[0]?.title ?? "",
    detail: members
      .map((one) => `${nameOf(one.policy)}, turn ${one.turns} of ${one.max_turns}`)
      .join("; "),
    driven: members.some((one) => one.driven),
  }));
}

/** Boards that are being filled, or wait to be gone on with. */
export function boardItems(boards: readonly BoardSummary[]): Item[] {
  return boards
    .filter(({ state }) => state === "running" || state === "paused" || state === "interrupted")
    .map(({ id, name, done, total, state }) => ({
      id,
      kind: "board",
      title: name,
      detail: `${done} of ${total} episodes${state === "running" ? "" : `, ${state}`}`,
      driven: state === "running",
    }));
}

/** Everything that this server drives, from any screen: to look at, to pause and to stop. */
export default function RunningNow() {
  const running = useQuery({
    queryKey: ["running"],
    queryFn: api.running,
    refetchInterval: LOOK_MS,
    staleTime: 0,
  });
  const boards = useQuery({
    queryKey: ["boards"],
    queryFn: api.boards,
    refetchInterval: 2 * LOOK_MS,
    retry: false,
  });
  const { data } = running;
  // An episode that another page has let play on needs its stream again here.
  useEffect(() => {
    for (const one of data?.driven ?? []) noteDriven(one.episode_id, true);
  }, [data]);
  const all = boardItems(boards.data?.items ?? []);
  const playing = [...itemsOf(data?.driven ?? []), ...all.filter(({ driven }) => driven)];
  const left = [...itemsOf(data?.left ?? []), ...all.filter(({ driven }) => !driven)];
  const more = (data?.driven_total ?? 0) - (data?.driven.length ?? 0);
  return (
    <Menu
      name="Running now"
      edge="right"
      label={
        <>
          <span aria-hidden="true">{playing.length > 0 ? "● " : "○ "}</span>
          <span className="max-sm:sr-only">Running now </span>({playing.length})
        </>
      }
    >
      {(close) => (
        <div className="grid gap-3 p-3" style={{ width: "min(26rem, 88vw)" }}>
          <List items={playing} onGo={close} empty="Nothing is being played on this server." />
          {more > 0 && <p className="text-muted">And {more} more episodes.</p>}
          {left.length > 0 && (
            <>
              <h3>Left unfinished</h3>
              <List items={left} onGo={close} empty="" />
            </>
          )}
          <Runs />
        </div>
      )}
    </Menu>
  );
}

function List({ items, onGo, empty }: { items: Item[]; onGo: () => void; empty: string }) {
  if (items.length === 0) return <p className="text-muted">{empty}</p>;
  return (
    <ul className="grid gap-3">
      {items.map((item) => (
        <li key={item.id} className="grid gap-1">
          <Entry item={item} onGo={onGo} />
        </li>
      ))}
    </ul>
  );
}

const LEADS = { episode: "", comparison: "Comparison on ", board: "Board " } as const;

function Entry({ item, onGo }: { item: Item; onGo: () => void }) {
  const client = useQueryClient();
  const act = useMutation({
    mutationFn: (action: "run" | "pause" | "abandon"): Promise<unknown> =>
      item.kind === "board"
        ? api.driveBoard(item.id, action === "abandon" ? "cancel" : action)
        : item.kind === "comparison"
          ? api.driveAll(item.id, action)
          : api.drive(item.id, action),
    onSettled: () =>
      Promise.all(
        [["running"], ["boards"]].map((queryKey) => client.invalidateQueries({ queryKey })),
      ),
  });
  const link = `${LEADS[item.kind]}${item.title}`;
  return (
    <>
      {item.kind === "board" ? (
        <Link to="/board/$boardId" params={{ boardId: item.id }} onClick={onGo}>
          {link}
        </Link>
      ) : item.kind === "comparison" ? (
        <Link to="/compare/$comparisonId" params={{ comparisonId: item.id }} onClick={onGo}>
          {link}
        </Link>
      ) : (
        <Link to="/run/$episodeId" params={{ episodeId: item.id }} onClick={onGo}>
          {link}
        </Link>
      )}
      <span className="text-xs text-muted">{item.detail}</span>
      <div className="flex gap-2">
        <button
          type="button"
          className="button"
          disabled={act.isPending}
          aria-label={`${item.driven ? "Pause" : "Go on with"} ${link}`}
          onClick={() => act.mutate(item.driven ? "pause" : "run")}
        >
          {item.driven ? "Pause" : "Go on"}
        </button>
        <button
          type="button"
          className="button"
          disabled={act.isPending}
          aria-label={`Stop ${link}`}
          onClick={() => act.mutate("abandon")}
        >
          Stop
        </button>
      </div>
      {act.error && <p className="text-danger">{act.error.message}</p>}
    </>
  );
}

/** Training runs that are under way: another process drives them. */
function Runs() {
  const runs = useQuery({ queryKey: ["runs"], queryFn: api.runs });
  const going = (runs.data?.items ?? []).filter((run) => run.status === "running");
  if (going.length === 0) return null;
  return (
    <>
      <h3>Training</h3>
      <ul className="grid gap-1">
        {going.map((run) => (
          <li key={run.id}>
            <Link to="/training" search={{ runs: run.id }}>
              {run.id}
            </Link>{" "}
            <span className="text-xs text-muted">
              step {run.steps}; stopped where it was started
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
