import { skipToken, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type LocalEpisodes, readExport } from "../../episode/files";
import { emptyEpisode, reduce } from "../../episode/reduce";
import { recorded } from "../../episode/useEpisode";
import { Compared } from "../../panel/Compared";
import { EpisodeBody } from "../../panel/EpisodePanel";
import { LOCAL_FILE } from "../../shared/kept";
import { Failure } from "../../shared/parts";
import type { CompareSearch } from "../../shared/search";

interface Props {
  view: CompareSearch;
  onView: (view: CompareSearch) => void;
}

/** Episodes out of a file, folded as if they came from the server. */
export default function LocalFile({ view, onView }: Props) {
  const { data: file } = useQuery<LocalEpisodes>({
    queryKey: LOCAL_FILE,
    queryFn: skipToken,
    gcTime: Number.POSITIVE_INFINITY,
  });
  if (!file) return <OpenLog />;
  const members = file.ids.map((id) => ({
    id,
    ...recorded,
    recovered: null,
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

/** The way to a file that needs no mouse. */
function OpenLog() {
  const client = useQueryClient();
  const [error, setError] = useState<Error | null>(null);
  const open = async (file: File | undefined) => {
    if (!file) return;
    try {
      client.setQueryData(LOCAL_FILE, await readExport(file.name, file));
    } catch (failure) {
      setError(failure instanceof Error ? failure : new Error(String(failure)));
    }
  };
  return (
    <div className="panel grid max-w-xl gap-3">
      <p>
        Episodes that were exported as JSONL are replayed here as they happened, without a server.
      </p>
      <label>
        Exported log (JSONL): choose it here, or drop it anywhere on the page
        <input
          className="field"
          type="file"
          accept=".jsonl"
          onChange={(event) => open(event.target.files?.[0])}
        />
      </label>
      {error && <Failure error={error} />}
    </div>
  );
}
