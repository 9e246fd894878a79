// Whether the server answers, and what is being waited for. One place for all: requests, the stream and the page.

import { bundled } from "./bundle";
import { SERVER } from "./server";

/** How the server stands, as far as this page knows. */
export interface Reach {
  reachable: boolean;
  /** When an unreachable server is asked again, in milliseconds since 1970. */
  nextTry: number | null;
  /** How often it came back: who holds something of before looks again. */
  returned: number;
}

export interface Waiting {
  what: string;
  since: number;
}

/** Nothing heard for so long: the server is asked. A server that is gone is said to be within three seconds. */
const BEAT_MS = 1500;
/** A server that is busy answers late; one that is gone refuses at once. */
const PATIENCE_MS = 8000;

let reach: Reach = { reachable: true, nextTry: null, returned: 0 };
const waiting = new Set<Waiting>();
const listeners = new Set<() => void>();
let heard = Date.now();
let attempt = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let asking = false;

const tell = () => {
  for (const listener of [...listeners]) listener();
};

export const reachOf = (): Reach => reach;

/** What is being waited for, the longest first. */
export const waitingFor = (): Waiting[] => [...waiting].sort((a, b) => a.since - b.since);

export function onReach(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** 1, 2, 4, 8, ... at most 30 s, each shortened by up to a fifth so that pages do not return together. */
export function backoff(attempt: number, random: number): number {
  return Math.min(30, 2 ** attempt) * (1 - 0.2 * random) * 1000;
}

/** Notes a request until it is answered; returns what ends it. */
export function waitFor(what: string): () => void {
  const entry = { what, since: Date.now() };
  waiting.add(entry);
  tell();
  return () => {
    if (waiting.delete(entry)) tell();
  };
}

/** The server has answered something. */
export function answered(): void {
  heard = Date.now();
  attempt = 0;
  if (reach.reachable) return;
  reach = { reachable: true, nextTry: null, returned: reach.returned + 1 };
  tell();
  beat();
}

/** The server did not answer: says so, and asks again by and by. */
export function lost(): void {
  const wait = backoff(attempt++, Math.random());
  reach = { ...reach, reachable: false, nextTry: Date.now() + wait };
  tell();
  clearTimeout(timer);
  timer = setTimeout(ask, wait);
}

/** Asks whether the server is there, at once. */
export async function ask(): Promise<void> {
  if (asking || bundled) return;
  asking = true;
  clearTimeout(timer);
  try {
    await fetch(`${SERVER}/health`, {
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    asking = false;
    answered();
    beat();
  } catch {
    asking = false;
    lost();
  }
}

/** Asks as soon as nothing has been heard for a beat, while the page is looked at. */
function beat(): void {
  clearTimeout(timer);
  const left = heard + BEAT_MS - Date.now();
  timer = setTimeout(
    () => {
      if (document.hidden || Date.now() - heard < BEAT_MS) beat();
      else ask();
    },
    left > 0 ? left : BEAT_MS,
  );
}

/** Begins to watch over the server; a page without one has nothing to watch. */
export function watchServer(): void {
  if (bundled) return;
  window.addEventListener("offline", lost);
  window.addEventListener("online", ask);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !reach.reachable) ask();
  });
  beat();
}
