import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "../../api/client";
import { emptyEpisode, reduce } from "../../episode/reduce";
import type { DemoEpisodes } from "../../episode/types";
import { recorded } from "../../episode/useEpisode";
import { Compared, type MemberState } from "../../panel/Compared";
import { Loading } from "../../shared/parts";
import type { CompareSearch } from "../../shared/search";

/** The recorded comparisons that ship with the program, as cards. */
export function DemoCards() {
  const demos = useQuery({ queryKey: ["demos"], queryFn: api.demos });
  if (!demos.data?.length) return null;
  return (
    <section aria-label="Demos" className="mb-6 grid gap-3">
      <h2>Recorded demos</h2>
      <ul className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3">
        {demos.data.map((demo) => (
          <li key={demo.id} className="panel grid content-start gap-2">
            <Link to="/demos/$demoId" params={{ demoId: demo.id }} className="font-semibold">
              {demo.title}
            </Link>
            <p>{demo.description}</p>
            <p className="text-xs text-muted">
              {demo.policies.join(" against ")}. {demo.honest_note}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface DemoProps {
  id: string;
  view: CompareSearch;
  onView: (view: CompareSearch) => void;
}

/** One demo: its episodes side by side, replayed from recorded events. */
export function DemoScreen({ id, view, onView }: DemoProps) {
  const demo = useQuery({ queryKey: ["demo", id], queryFn: () => api.demo(id) });
  if (demo.error)
    return (
      <p role="alert" className="text-danger">
        {demo.error.message} <Link to="/episodes">See all demos</Link>
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
  return demo.episodes.map(({ episode_id: id }) => ({
    id,
    ...recorded,
    episode: demo.events.filter((event) => event.episode_id === id).reduce(reduce, emptyEpisode),
  }));
}
