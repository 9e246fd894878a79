import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { LocalEpisodes } from "../../episode/files";
import { emptyEpisode, reduce } from "../../episode/reduce";
import { recorded } from "../../episode/useEpisode";
import { Compared } from "../../panel/Compared";
import { EpisodeBody } from "../../panel/EpisodePanel";
import type { CompareSearch } from "../../shared/search";
import { LOCAL_FILE } from "./DropZone";

interface Props {
  view: CompareSearch;
  onView: (view: CompareSearch) => void;
}

/** Episodes out of a file, folded as if they came from the server. */
export default function LocalFile({ view, onView }: Props) {
  const file = useQueryClient().getQueryData<LocalEpisodes>(LOCAL_FILE);
  if (!file)
    return (
      <p>
        No file is open. <Link to="/episodes">Drop one on the list of episodes</Link>.
      </p>
    );
  const members = file.ids.map((id) => ({
    id,
    ...recorded,
    episode: file.events.filter((event) => event.episode_id === id).reduce(reduce, emptyEpisode),
  }));
  const [only] = members;
  return (
    <div className="grid gap-4">
      <p className="notice">
        Local file, not verified: {file.name}. To verify it,{" "}
        <code>physix log import {file.name}</code>, then <code>physix log verify</code>.
      </p>
      {members.length === 1 && only ? (
        <EpisodeBody {...only} view={view} onView={onView} law={null} />
      ) : (
        <Compared members={members} view={view} onView={onView} />
      )}
    </div>
  );
}
