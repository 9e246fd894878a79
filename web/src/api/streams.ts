import type { EpisodeEvent } from "../episode/types";
import { bundled, bundledFile } from "./bundle";
import { SERVER } from "./server";

export type StreamStatus = "Connecting" | "Live" | "Reconnecting" | "Disconnected" | "Complete";

/** What a model has written so far; never part of the record. */
export interface ModelText {
  episode_id: string;
  turn: number;
  text: string;
  tokens: number;
  tokens_per_s: number | null;
  elapsed_s?: number;
}

/** What a model was asked; never part of the record either. */
export interface ModelPrompt {
  episode_id: string;
  turn: number;
  policy: string;
  messages: { role: string; content: string }[];
  estimated_tokens: number;
}

export interface Listener {
  onEvent: (event: EpisodeEvent) => void;
  onText: (text: ModelText) => void;
  onPrompt?: (prompt: ModelPrompt) => void;
  /** `nextTry` is when a disconnected stream tries again, in milliseconds since 1970. */
  onStatus: (status: StreamStatus, nextTry?: number) => void;
}

export interface Stream {
  stop: () => void;
  /** Tries at once instead of waiting. */
  retry: () => void;
}

const NAMES: readonly EpisodeEvent["type"][] = [
  "EpisodeStarted",
  "HypothesisSubmitted",
  "SimulationRun",
  "RewardComputed",
  "PolicyFailed",
  "EpisodeFinished",
];

/** 1, 2, 4, 8, ... at most 30 s, each shortened by up to a fifth so that clients do not return together. */
export function backoff(attempt: number, random: number): number {
  return Math.min(30, 2 ** attempt) * (1 - 0.2 * random) * 1000;
}

interface Source {
  /** The address of everything after a place; the place of an event is what its `id:` says. */
  address: (after: number) => string;
  place: (event: EpisodeEvent) => number;
  /** How many `EpisodeFinished` end the stream. */
  episodes: number;
}

/** Follows one episode to its end. */
export const followEpisode = (id: string, listener: Listener): Stream =>
  bundled
    ? readEpisodes([id], listener)
    : follow(
        {
          address: (after) =>
            `${SERVER}/api/episodes/${encodeURIComponent(id)}/events?after=${after}`,
          place: (event) => event.version,
          episodes: 1,
        },
        listener,
      );

/** Follows some episodes to their ends on one connection: a browser has six for everything. */
export const followEpisodes = (ids: readonly string[], listener: Listener): Stream =>
  bundled
    ? readEpisodes(ids, listener)
    : follow(
        {
          address: (after) =>
            `${SERVER}/api/events?after=${after}${ids.map((id) => `&episode=${encodeURIComponent(id)}`).join("")}`,
          place: (event) => event.position,
          episodes: ids.length,
        },
        listener,
      );

/** The same events from the files beside a bundled page, which end where the record ends. */
function readEpisodes(ids: readonly string[], listener: Listener): Stream {
  let stopped = false;
  async function read(id: string): Promise<EpisodeEvent[]> {
    const response = await fetch(
      bundledFile(`/api/episodes/${encodeURIComponent(id)}/events`) ?? "",
    );
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return response.json();
  }
  function retry() {
    listener.onStatus("Connecting");
    Promise.all(ids.map(read)).then(
      (episodes) => {
        if (stopped) return;
        for (const event of episodes.flat()) listener.onEvent(event);
        listener.onStatus("Complete");
      },
      () => stopped || listener.onStatus("Disconnected"),
    );
  }
  retry();
  return {
    stop: () => {
      stopped = true;
    },
    retry,
  };
}

function follow(origin: Source, listener: Listener): Stream {
  const finished = new Set<string>();
  let last = 0;
  let attempt = 0;
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function stop() {
    clearTimeout(timer);
    source?.close();
    window.removeEventListener("online", retry);
    document.removeEventListener("visibilitychange", retry);
  }

  function retry() {
    if (source?.readyState === EventSource.CLOSED && !document.hidden) open();
  }

  function open() {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(origin.address(last));
    const current = source;
    current.onopen = () => {
      attempt = 0;
      listener.onStatus("Live");
    };
    for (const name of NAMES)
      current.addEventListener(name, (message: MessageEvent<string>) => {
        const event: EpisodeEvent = JSON.parse(message.data);
        last = Math.max(last, origin.place(event));
        listener.onEvent(event);
        if (event.type === "EpisodeFinished") finished.add(event.episode_id);
        if (finished.size >= origin.episodes) {
          stop();
          listener.onStatus("Complete");
        }
      });
    current.addEventListener("ModelText", (message: MessageEvent<string>) =>
      listener.onText(JSON.parse(message.data)),
    );
    current.addEventListener("ModelPrompt", (message: MessageEvent<string>) =>
      listener.onPrompt?.(JSON.parse(message.data)),
    );
    current.onerror = () => {
      if (current.readyState === EventSource.CLOSED) {
        // The browser gives up after any answer but 200; from here on retrying is ours.
        const wait = backoff(attempt++, Math.random());
        listener.onStatus("Disconnected", Date.now() + wait);
        timer = setTimeout(open, wait);
      } else listener.onStatus("Reconnecting");
    };
  }

  window.addEventListener("online", retry);
  document.addEventListener("visibilitychange", retry);
  listener.onStatus("Connecting");
  open();
  return { stop, retry };
}
