import type { EpisodeEvent } from "../episode/types";

export type StreamStatus = "Connecting" | "Live" | "Reconnecting" | "Disconnected" | "Complete";

/** What a model has written so far; never part of the record. */
export interface ModelText {
  episode_id: string;
  turn: number;
  text: string;
  tokens: number;
  tokens_per_s: number | null;
}

interface Listener {
  onEvent: (event: EpisodeEvent) => void;
  onText: (text: ModelText) => void;
  onStatus: (status: StreamStatus) => void;
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

/** Follows one episode to its end. Returns the function that stops following. */
export function followEpisode(id: string, after: number, listener: Listener): () => void {
  let last = after;
  let attempt = 0;
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function stop() {
    clearTimeout(timer);
    source?.close();
    window.removeEventListener("online", retryNow);
    document.removeEventListener("visibilitychange", retryNow);
  }

  function retryNow() {
    if (source?.readyState === EventSource.CLOSED && !document.hidden) open();
  }

  function open() {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(`/api/episodes/${encodeURIComponent(id)}/events?after=${last}`);
    const current = source;
    current.onopen = () => {
      attempt = 0;
      listener.onStatus("Live");
    };
    for (const name of NAMES)
      current.addEventListener(name, (message: MessageEvent<string>) => {
        const event: EpisodeEvent = JSON.parse(message.data);
        last = Math.max(last, event.version);
        listener.onEvent(event);
        if (event.type === "EpisodeFinished") {
          stop();
          listener.onStatus("Complete");
        }
      });
    current.addEventListener("ModelText", (message: MessageEvent<string>) =>
      listener.onText(JSON.parse(message.data)),
    );
    current.onerror = () => {
      if (current.readyState === EventSource.CLOSED) {
        // The browser gives up after any answer but 200; from here on retrying is ours.
        listener.onStatus("Disconnected");
        timer = setTimeout(open, backoff(attempt++, Math.random()));
      } else listener.onStatus("Reconnecting");
    };
  }

  window.addEventListener("online", retryNow);
  document.addEventListener("visibilitychange", retryNow);
  listener.onStatus("Connecting");
  open();
  return stop;
}
