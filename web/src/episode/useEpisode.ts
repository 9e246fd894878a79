import { useEffect, useReducer, useState } from "react";
import { followEpisode, type ModelText, type StreamStatus } from "../api/streams";
import { type EpisodeState, emptyEpisode, reduce } from "./reduce";

export interface Following {
  episode: EpisodeState;
  status: StreamStatus;
  writing: ModelText | null;
}

/** One episode as its stream tells it. Mount it with `key={id}`: it never changes its episode. */
export function useEpisode(id: string): Following {
  const [episode, apply] = useReducer(reduce, emptyEpisode);
  const [status, setStatus] = useState<StreamStatus>("Connecting");
  const [writing, setWriting] = useState<ModelText | null>(null);
  useEffect(
    () =>
      followEpisode(id, 0, {
        onEvent: (event) => {
          apply(event);
          setWriting(null);
        },
        onText: (text) => setWriting(text.text === "" ? null : text),
        onStatus: setStatus,
      }),
    [id],
  );
  return { episode, status, writing };
}
