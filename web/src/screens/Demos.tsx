import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "../api/client";
import { emptyEpisode, reduce } from "../episode/reduce";
import type { DemoEpisodes } from "../episode/types";
import { Standings } from "./Comparison";
import { EpisodeBody } from "./EpisodePanel";

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

/** One demo: its episodes side by side, replayed from recorded events. */
export function DemoScreen({ id }: { id: string }) {
  const demo = useQuery({ queryKey: ["demo", id], queryFn: () => api.demo(id) });
  if (demo.error)
    return (
      <p role="alert" className="text-danger">
        {demo.error.message} <Link to="/episodes">See all demos</Link>
      </p>
    );
  if (!demo.data) return <p aria-busy>Loading the demo</p>;
  return (
    <div className="grid gap-4">
      <p>{demo.data.demo.description}</p>
      <p className="text-muted">{demo.data.demo.honest_note}</p>
      <Standings comparison={demo.data.comparison} />
      <div className="grid items-start gap-4 lg:grid-cols-2">
        {demo.data.episodes.map((episode) => (
          <Recorded key={episode.episode_id} id={episode.episode_id} demo={demo.data} />
        ))}
      </div>
    </div>
  );
}

function Recorded({ id, demo }: { id: string; demo: DemoEpisodes }) {
  const [turn, setTurn] = useState<number>();
  const episode = demo.events
    .filter((event) => event.episode_id === id)
    .reduce(reduce, emptyEpisode);
  const view = demo.episodes.find((entry) => entry.episode_id === id);
  return (
    <EpisodeBody
      id={id}
      turn={turn}
      onTurn={setTurn}
      episode={episode}
      status="Complete"
      writing={null}
      law={view?.truth?.equation ?? null}
    />
  );
}
