// The one stream of this browser. Among its pages that are looked at, whoever holds the lock keeps the connection and
// hands every message on; the others listen. Where the browser has no locks, each page in sight keeps its own.

import type { EpisodeEvent } from "../episode/types";
import { bundled } from "./bundle";
import { ask, backoff, onReach, reachOf } from "./reach";
import { SERVER } from "./server";

export type StreamStatus =
  | "Connecting"
  | "Live"
  | "Reconnecting"
  | "Disconnected"
  | "Paused"
  | "Your turn"
  | "Complete";

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

/** Whether a policy plays an episode on this server, right now. */
export interface Driving {
  episode_id: string;
  driving: boolean;
}

export interface Listener {
  onEvent: (event: EpisodeEvent) => void;
  onText: (text: ModelText) => void;
  onPrompt: (prompt: ModelPrompt) => void;
  onDriving: (driving: Driving) => void;
  onStatus: (status: "Connecting" | "Live" | "Reconnecting") => void;
}

const EVENTS = [
  "EpisodeStarted",
  "HypothesisSubmitted",
  "SimulationRun",
  "RewardComputed",
  "PolicyFailed",
  "EpisodeLabelled",
  "EpisodeFinished",
] as const satisfies readonly EpisodeEvent["type"][];
const NAMES = [...EVENTS, "ModelText", "ModelPrompt", "Driving"] as const;
type Name = (typeof NAMES)[number];

/** Episodes that are wanted, each with the position of the last event that is known of it. */
type Wants = Readonly<Record<string, number>>;
type Status = "Connecting" | "Live" | "Reconnecting";
type Message =
  | { kind: "want"; page: string; wants: Wants }
  | { kind: "who" }
  | { kind: "frame"; name: Name; data: string }
  | { kind: "status"; status: Status };

const CHANNEL = "physix-stream";
/** As many as the server follows on one stream. */
const MOST = 64;

/** Takes part in the stream of this browser. Returns how to say which episodes are wanted. */
export function joinStream(listener: Listener): (wants: Wants) => void {
  const page = `${Date.now()}-${Math.random()}`;
  const shared = navigator.locks !== undefined && typeof BroadcastChannel !== "undefined";
  const channel = shared ? new BroadcastChannel(CHANNEL) : null;
  const say = (message: Message) => channel?.postMessage(message);
  let mine: Wants = {};
  const others = new Map<string, Wants>();
  let leading = false;
  let stepDown: (() => void) | null = null;
  let queued = false;

  const told = (status: Status) => {
    listener.onStatus(status);
    say({ kind: "status", status });
  };
  const connection = keepConnection({
    onFrame: (name, data) => {
      hear(listener, name, data);
      say({ kind: "frame", name, data });
    },
    onStatus: told,
  });
  const follow = () => {
    if (leading) connection.want(union([mine, ...others.values()]));
  };
  const lead = () => {
    leading = true;
    others.clear();
    say({ kind: "who" });
    follow();
  };
  const leave = () => {
    leading = false;
    connection.want({});
    stepDown?.();
    stepDown = null;
  };

  channel?.addEventListener("message", ({ data }: MessageEvent<Message>) => {
    if (data.kind === "who") say({ kind: "want", page, wants: mine });
    else if (data.kind === "want") {
      if (Object.keys(data.wants).length > 0) others.set(data.page, data.wants);
      else others.delete(data.page);
      follow();
      if (leading) say({ kind: "status", status: connection.status() });
    } else if (leading) return;
    else if (data.kind === "frame") hear(listener, data.name, data.data);
    else listener.onStatus(data.status);
  });

  const compete = () => {
    if (!shared) {
      lead();
      return;
    }
    if (queued) return;
    queued = true;
    navigator.locks
      .request(CHANNEL, () => {
        queued = false;
        if (Object.keys(mine).length === 0) return;
        lead();
        return new Promise<void>((done) => {
          stepDown = done;
        });
      })
      .catch(() => {
        queued = false;
      });
  };

  window.addEventListener("pagehide", () => {
    mine = {};
    say({ kind: "want", page, wants: mine });
    leave();
  });

  return (wants) => {
    mine = wants;
    say({ kind: "want", page, wants });
    if (Object.keys(wants).length === 0) {
      if (leading) leave();
    } else if (leading) follow();
    else compete();
  };
}

function hear(listener: Listener, name: Name, data: string): void {
  if (name === "ModelText") listener.onText(JSON.parse(data));
  else if (name === "ModelPrompt") listener.onPrompt(JSON.parse(data));
  else if (name === "Driving") listener.onDriving(JSON.parse(data));
  else listener.onEvent(JSON.parse(data));
}

/** All episodes that somebody wants; of one that two want, the earlier position. */
export function union(all: readonly Wants[]): Wants {
  const found: Record<string, number> = {};
  for (const wants of all)
    for (const [id, position] of Object.entries(wants))
      found[id] = Math.min(found[id] ?? position, position);
  return Object.fromEntries(Object.entries(found).slice(0, MOST));
}

interface Taker {
  onFrame: (name: Name, data: string) => void;
  onStatus: (status: Status) => void;
}

/** One connection for whatever is wanted; opened anew where more is wanted, and after a break. */
function keepConnection(taker: Taker) {
  let source: EventSource | null = null;
  let wanted: Wants = {};
  let open: ReadonlySet<string> = new Set();
  let seen = 0;
  let attempt = 0;
  let status: Status = "Connecting";
  let timer: ReturnType<typeof setTimeout> | undefined;

  const set = (next: Status) => {
    status = next;
    taker.onStatus(next);
  };
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
  const connect = () => {
    close();
    const ids = Object.keys(wanted);
    if (ids.length === 0) {
      open = new Set();
      return;
    }
    // What was on the stream before is known up to the last event seen.
    const places = ids.map((id) => Math.max(wanted[id] ?? 0, open.has(id) ? seen : 0));
    const after = Math.min(...places);
    open = new Set(ids);
    const chosen = ids.map((id) => `&episode=${encodeURIComponent(id)}`).join("");
    const current = new EventSource(`${SERVER}/api/events?after=${after}${chosen}`);
    source = current;
    current.onopen = () => {
      attempt = 0;
      set("Live");
    };
    for (const name of NAMES)
      current.addEventListener(name, (message: MessageEvent<string>) => {
        seen = Math.max(seen, Number(message.lastEventId) || 0);
        taker.onFrame(name, message.data);
      });
    current.onerror = () => {
      // The browser would retry for ever without a word, or give up; from here on retrying is ours.
      close();
      set("Reconnecting");
      ask();
      timer = setTimeout(() => reachOf().reachable && connect(), backoff(attempt++, Math.random()));
    };
  };
  onReach(() => {
    if (reachOf().reachable && source === null && Object.keys(wanted).length > 0 && attempt > 0) {
      attempt = 0;
      connect();
    }
  });
  return {
    status: () => status,
    want: (next: Wants) => {
      wanted = next;
      const ids = Object.keys(next);
      if (ids.length === 0) close();
      else if (ids.some((id) => !open.has(id)) || (source === null && attempt === 0)) connect();
    },
  };
}

/** Whether this page can have a stream at all. */
export const streams = !bundled && typeof EventSource !== "undefined";
