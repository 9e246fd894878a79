// Every episode that this page has shown, folded from its events. It outlives the screen that showed it: a server that
// is gone takes nothing away.

import { bundled, bundledFile } from "../api/bundle";
import { ApiError, readEvents } from "../api/client";
import { onReach, reachOf } from "../api/reach";
import { joinStream, type ModelPrompt, type ModelText, streams } from "../api/streams";
import { onTouched } from "../api/touched";
import { type EpisodeState, emptyEpisode, reduce } from "./reduce";
import type { EpisodeEvent } from "./types";

/** What is known of one episode. */
export interface Known {
  episode: EpisodeState;
  /** The place in the log of its last event. */
  position: number;
  /** Whether a policy plays it on the server; null until that was said. */
  driven: boolean | null;
  writing: ModelText | null;
  prompt: ModelPrompt | null;
  /** The log has no such episode. */
  missing: boolean;
  /** Why its events could not be read. */
  error: Error | null;
}

const NOTHING: Known = {
  episode: emptyEpisode,
  position: 0,
  driven: null,
  writing: null,
  prompt: null,
  missing: false,
  error: null,
};

// Events that come one upon the other are drawn at once: a long episode is read in one go, not event by event.
const GATHER_MS = 16;
// An episode that nobody plays here may be played from elsewhere.
const LOOK_MS = 4000;
const KEPT = 60;

const known = new Map<string, Known>();
const followed = new Map<string, number>();
const reading = new Set<string>();
const readAgain = new Set<string>();
const listeners = new Set<() => void>();
let status: "Connecting" | "Live" | "Reconnecting" = "Connecting";
let gathered: EpisodeEvent[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let want: ((wants: Record<string, number>) => void) | null = null;
let version = 0;

export const knownOf = (id: string): Known => known.get(id) ?? NOTHING;
export const streamStatus = () => status;
export const storeVersion = () => version;

export function onKnown(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(): void {
  version += 1;
  for (const listener of [...listeners]) listener();
}

function change(id: string, part: Partial<Known>): void {
  known.set(id, { ...knownOf(id), ...part });
}

/** Takes what has gathered; whoever listens hears of it once. */
function hand(): void {
  clearTimeout(timer);
  timer = undefined;
  const events = gathered;
  gathered = [];
  if (events.length === 0) return;
  // Between two pages that hold the stream one after the other, events can be missed: the log has them.
  const missed = new Set<string>();
  for (const event of events) {
    if (event.version > knownOf(event.episode_id).episode.version + 1) missed.add(event.episode_id);
    else fold(event);
  }
  told();
  for (const id of missed) read(id);
}

function fold(event: EpisodeEvent): void {
  const { episode, position, writing } = knownOf(event.episode_id);
  const next = reduce(episode, event);
  change(event.episode_id, {
    episode: next,
    position: Math.max(position, event.position),
    writing: next === episode ? writing : null,
  });
}

function told(): void {
  forget();
  tell();
  wants();
}

function take(event: EpisodeEvent): void {
  if (!followed.has(event.episode_id)) return;
  gathered.push(event);
  timer ??= setTimeout(hand, GATHER_MS);
}

/** Those not on the screen are let go, the longest unseen first. */
function forget(): void {
  for (const id of known.keys()) {
    if (known.size <= KEPT) return;
    if (!followed.has(id)) known.delete(id);
  }
}

/** Says which episodes need a stream: on the screen, in sight, not ended, and played by somebody. */
function wants(): void {
  if (!streams) return;
  want ??= joinStream({
    onEvent: take,
    onText: (text) => {
      if (!followed.has(text.episode_id)) return;
      hand();
      change(text.episode_id, { writing: text.text === "" ? null : text });
      tell();
    },
    onPrompt: (prompt) => {
      if (!followed.has(prompt.episode_id)) return;
      change(prompt.episode_id, { prompt });
      tell();
    },
    onDriving: ({ episode_id, driving }) => {
      if (!followed.has(episode_id)) return;
      hand();
      driven(episode_id, driving);
    },
    onStatus: (next) => {
      hand();
      status = next;
      tell();
    },
  });
  const ids = document.hidden ? [] : [...followed.keys()].filter(needsStream);
  want(Object.fromEntries(ids.map((id) => [id, knownOf(id).position])));
}

function needsStream(id: string): boolean {
  const { episode, driven, missing, position } = knownOf(id);
  return position > 0 && episode.outcome === null && driven !== false && !missing;
}

/** Takes note of whether a policy plays an episode. */
export function driven(id: string, driving: boolean): void {
  if (knownOf(id).driven === driving) return;
  change(id, { driven: driving, ...(!driving && { writing: null, prompt: null }) });
  tell();
  wants();
  // What came between the last event and the end of the stream.
  if (!driving) read(id);
}

/** Reads what the log has beyond what is known. */
export async function read(id: string): Promise<void> {
  if (reading.has(id)) {
    // What is on its way may not hold what has happened since.
    readAgain.add(id);
    return;
  }
  reading.add(id);
  try {
    const events = bundled
      ? await fromFolder(id)
      : await readEvents(id, knownOf(id).episode.version);
    if (events.length > 0) {
      hand();
      change(id, { error: null });
      for (const event of events) fold(event);
      told();
    } else if (knownOf(id).error !== null) {
      change(id, { error: null });
      tell();
    }
    wants();
  } catch (error) {
    const gone = error instanceof ApiError && error.status === 404;
    const failure = error instanceof Error ? error : new Error(String(error));
    change(id, gone ? { missing: true } : { error: failure });
    tell();
  } finally {
    reading.delete(id);
    if (readAgain.delete(id)) read(id);
  }
}

async function fromFolder(id: string): Promise<EpisodeEvent[]> {
  const response = await fetch(bundledFile(`/api/episodes/${encodeURIComponent(id)}/events`) ?? "");
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.json();
}

/** Keeps some episodes up to date until told otherwise. */
export function followEpisodes(ids: readonly string[]): () => void {
  for (const id of ids) {
    followed.set(id, (followed.get(id) ?? 0) + 1);
    if (knownOf(id).episode.outcome === null) read(id);
  }
  return () => {
    for (const id of ids) {
      const left = (followed.get(id) ?? 1) - 1;
      if (left > 0) followed.set(id, left);
      else followed.delete(id);
    }
    wants();
  };
}

/** How far the unfinished episodes on the screen are known, in words; null where there are none. */
export function knownUpTo(): string | null {
  const turns = [...followed.keys()]
    .map((id) => knownOf(id).episode)
    .filter((episode) => episode.outcome === null && episode.started !== null)
    .map((episode) => episode.turns.length);
  if (turns.length === 0) return null;
  return turns.length === 1 ? `turn ${turns[0]}` : `turns ${turns.join(" and ")}`;
}

/** Looks at every episode on the screen that may have moved on. */
function lookAgain(): void {
  for (const id of followed.keys()) if (knownOf(id).episode.outcome === null) read(id);
}

onTouched((id, driving) => {
  if (!followed.has(id)) return;
  if (driving !== null) driven(id, driving);
  read(id);
});

let returned = reachOf().returned;
onReach(() => {
  if (reachOf().returned === returned) return;
  returned = reachOf().returned;
  // A server that comes back may play nothing any more: the stream says so of each.
  for (const id of followed.keys()) change(id, { driven: null });
  lookAgain();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) lookAgain();
  wants();
});
setInterval(() => {
  if (document.hidden || !reachOf().reachable || bundled) return;
  for (const id of followed.keys()) {
    const { episode, driven, missing } = knownOf(id);
    if (episode.outcome === null && driven === false && !missing) read(id);
  }
}, LOOK_MS);
