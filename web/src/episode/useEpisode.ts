import { useEffect, useMemo, useReducer, useRef, useState } from "react";
import {
  followEpisode,
  followEpisodes,
  type ModelPrompt,
  type ModelText,
  type Stream,
  type StreamStatus,
} from "../api/streams";
import { type EpisodeState, emptyEpisode, reduce } from "./reduce";
import type { EpisodeEvent } from "./types";

export interface Connection {
  status: StreamStatus;
  /** When a disconnected stream tries again, in milliseconds since 1970. */
  nextTry: number | null;
  retry: () => void;
}

export interface Following {
  episode: EpisodeState;
  connection: Connection;
  writing: ModelText | null;
  prompt: ModelPrompt | null;
}

/** A recorded episode: nothing is connected and nothing is being written. */
export const recorded: Omit<Following, "episode"> = {
  connection: { status: "Complete", nextTry: null, retry: () => {} },
  writing: null,
  prompt: null,
};

type Episodes = Readonly<Record<string, EpisodeState>>;

// Events that come one upon the other are drawn at once: a long episode is read in one go, not event by event.
const GATHER_MS = 16;

function reduceAll(episodes: Episodes, events: readonly EpisodeEvent[]): Episodes {
  const next = { ...episodes };
  for (const event of events)
    next[event.episode_id] = reduce(next[event.episode_id] ?? emptyEpisode, event);
  return next;
}

/** Some episodes on one stream, by id. Mount with a key: it never changes its episodes. */
export function useEpisodes(ids: readonly string[]): {
  of: (id: string) => Following;
  connection: Connection;
} {
  const [episodes, apply] = useReducer(reduceAll, {});
  const [status, setStatus] = useState<StreamStatus>("Connecting");
  const [nextTry, setNextTry] = useState<number | null>(null);
  const [writing, setWriting] = useState<Record<string, ModelText | null>>({});
  const [prompts, setPrompts] = useState<Record<string, ModelPrompt>>({});
  const stream = useRef<Stream | null>(null);
  const key = ids.join(" ");
  useEffect(() => {
    const wanted = key.split(" ");
    let gathered: EpisodeEvent[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const hand = () => {
      clearTimeout(timer);
      timer = undefined;
      const events = gathered;
      gathered = [];
      if (events.length === 0) return;
      apply(events);
      const written = Object.fromEntries(events.map((event) => [event.episode_id, null]));
      setWriting((all) => ({ ...all, ...written }));
    };
    const listener = {
      onEvent: (event: EpisodeEvent) => {
        gathered.push(event);
        timer ??= setTimeout(hand, GATHER_MS);
      },
      onText: (text: ModelText) => {
        hand();
        setWriting((all) => ({ ...all, [text.episode_id]: text.text === "" ? null : text }));
      },
      onPrompt: (prompt: ModelPrompt) =>
        setPrompts((all) => ({ ...all, [prompt.episode_id]: prompt })),
      onStatus: (next: StreamStatus, at?: number) => {
        hand();
        setStatus(next);
        setNextTry(at ?? null);
      },
    };
    const only = wanted.length === 1 ? wanted[0] : undefined;
    stream.current =
      only === undefined ? followEpisodes(wanted, listener) : followEpisode(only, listener);
    return () => {
      stream.current?.stop();
      clearTimeout(timer);
    };
  }, [key]);
  const connection = useMemo(
    () => ({ status, nextTry, retry: () => stream.current?.retry() }),
    [status, nextTry],
  );
  const of = (id: string): Following => {
    const episode = episodes[id] ?? emptyEpisode;
    // In a comparison one may be complete while another is still being played.
    const complete = episode.outcome !== null;
    return {
      episode,
      connection: complete ? { ...connection, status: "Complete" } : connection,
      writing: writing[id] ?? null,
      prompt: prompts[id] ?? null,
    };
  };
  return { of, connection };
}

/** One episode as its stream tells it. */
export function useEpisode(id: string): Following {
  return useEpisodes([id]).of(id);
}
