import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";
import { bundled } from "../api/bundle";
import { ask, onReach, reachOf } from "../api/reach";
import type { ModelPrompt, ModelText, StreamStatus } from "../api/streams";
import type { EpisodeState } from "./reduce";
import {
  followEpisodes,
  type Known,
  knownOf,
  onKnown,
  read,
  storeVersion,
  streamStatus,
} from "./store";

export interface Connection {
  status: StreamStatus;
  retry: () => void;
}

export interface Following {
  episode: EpisodeState;
  connection: Connection;
  writing: ModelText | null;
  prompt: ModelPrompt | null;
  /** Whether a policy plays it on the server; null until that was said. */
  driven: boolean | null;
  missing: boolean;
  error: Error | null;
}

/** A recorded episode: nothing is connected and nothing is being written. */
export const recorded: Omit<Following, "episode"> = {
  connection: { status: "Complete", retry: () => {} },
  writing: null,
  prompt: null,
  driven: null,
  missing: false,
  error: null,
};

/** Some episodes, by id, as far as they are known. Mount with a key: it never changes its episodes. */
export function useEpisodes(ids: readonly string[]): {
  of: (id: string) => Following;
  connection: Connection;
} {
  const key = ids.join(" ");
  useEffect(() => followEpisodes(key.split(" ")), [key]);
  const version = useSyncExternalStore(onKnown, storeVersion);
  const reach = useSyncExternalStore(onReach, reachOf);
  const retry = useCallback(() => {
    ask();
    for (const id of key.split(" ")) read(id);
  }, [key]);
  return useMemo(() => {
    const connected = (status: StreamStatus): Connection => ({
      status: reach.reachable || status === "Complete" ? status : "Disconnected",
      retry,
    });
    const of = (id: string): Following => {
      const known = knownOf(id);
      return { ...known, connection: connected(statusOf(known)) };
    };
    const open = key.split(" ").find((id) => knownOf(id).episode.outcome === null);
    return { of, connection: open === undefined ? connected("Complete") : of(open).connection };
  }, [key, version, reach, retry]);
}

/** How an episode stands that the server can be asked about. */
function statusOf({ episode, driven, error }: Known): StreamStatus {
  if (episode.outcome !== null || (bundled && episode.version > 0)) return "Complete";
  if (error !== null) return "Disconnected";
  if (episode.started === null) return "Connecting";
  const { policy, door } = episode.started.payload;
  if (policy === "you") return "Your turn";
  // An agent at another door plays when it likes; the log is read every few seconds.
  if (driven === false) return door === "interactive" ? "Paused" : "Live";
  return driven === null ? "Connecting" : streamStatus();
}

/** One episode as far as it is known. */
export function useEpisode(id: string): Following {
  return useEpisodes([id]).of(id);
}
