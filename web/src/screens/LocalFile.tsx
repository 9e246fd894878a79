import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import type { CompareSearch } from "../app/search";
import { FileError, type LocalEpisodes, readExport } from "../episode/files";
import { emptyEpisode, reduce } from "../episode/reduce";
import { recorded } from "../episode/useEpisode";
import { Compared } from "./Comparison";
import { EpisodeBody } from "./EpisodePanel";
import { Failure } from "./parts";

const KEY = ["local file"];

/** Takes exported files that are dropped onto a screen, or chosen in it. */
export function DropZone({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const go = useNavigate();
  const [error, setError] = useState<Error | null>(null);
  const [over, setOver] = useState(false);
  const open = async (file: File | undefined) => {
    if (!file) return;
    try {
      client.setQueryData(KEY, await readExport(file.name, file));
      go({ to: "/file" });
    } catch (failure) {
      setError(failure instanceof Error ? failure : new FileError(String(failure)));
    }
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the file field below does the same by keyboard
    <div
      className="grid gap-4"
      style={over ? { outline: "2px dashed var(--trained)", outlineOffset: 8 } : undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        open(event.dataTransfer.files[0]);
      }}
    >
      {error && <Failure error={error} />}
      {children}
      <label className="text-muted">
        An exported file (JSONL): drop it anywhere here, or choose it
        <input
          className="field"
          type="file"
          accept=".jsonl"
          onChange={(event) => open(event.target.files?.[0])}
        />
      </label>
    </div>
  );
}

interface Props {
  view: CompareSearch;
  onView: (view: CompareSearch) => void;
}

/** Episodes out of a file, folded as if they came from the server. */
export function LocalFile({ view, onView }: Props) {
  const file = useQueryClient().getQueryData<LocalEpisodes>(KEY);
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
