import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "../../api/client";
import { emptyEpisode, reduce } from "../../episode/reduce";
import type { DemoEpisodes } from "../../episode/types";
import { recorded } from "../../episode/useEpisode";
import { Compared, type MemberState } from "../../panel/Compared";
import { Loading } from "../../shared/parts";
import type { CompareSearch } from "../../shared/search";

interface DemoProps {
  id: string;
  view: CompareSearch;
  onView: (view: CompareSearch) => void;
}

/** One demo: its episodes side by side, replayed from recorded events. */
export default function DemoScreen({ id, view, onView }: DemoProps) {
  const demo = useQuery({ queryKey: ["demo", id], queryFn: () => api.demo(id) });
  if (demo.isLoadingError)
    return (
      <p role="alert" className="text-danger">
        {demo.error.message} <Link to="/">See all demos</Link>
      </p>
    );
  if (!demo.data) return <Loading what="the demo" height={480} />;
  return (
    <div className="grid gap-4">
      <p>{demo.data.demo.description}</p>
      <p className="text-muted">{demo.data.demo.honest_note}</p>
      <Compared members={membersOf(demo.data)} view={view} onView={onView} />
    </div>
  );
}

function membersOf(demo: DemoEpisodes): Omit<MemberState, "label">[] {
  return demo.episodes.map(({ episode_id: id, turns, standing }) => ({
    id,
    ...recorded,
    recovered: turns.find((one) => one.turn === standing.best_turn)?.correctness?.verdict ?? null,
    episode: demo.events.filter((event) => event.episode_id === id).reduce(reduce, emptyEpisode),
  }));
}
