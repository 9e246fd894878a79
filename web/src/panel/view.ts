// How every screen with turns moves through them and through time.

import { useEffect, useRef, useState } from "react";
import { useKeys } from "../shared/keys";
import type { EpisodeSearch } from "../shared/search";
import { type Clock, useClock } from "../viz";

/** Moves a view to another turn, or to the newest, dropping the time at which the old one stood still. */
export const atTurn = <View extends EpisodeSearch>(view: View, turn: number | undefined): View => ({
  ...view,
  turn,
  t: undefined,
});

/** Draws everything so far out that the predictions fit in, or the data alone. */
export const zoomed = <View extends EpisodeSearch>(view: View, wide: boolean): View => ({
  ...view,
  zoom: wide ? "out" : undefined,
});

/** Plays each turn once before the next is shown, or shows the newest as it comes. */
export const atPace = <View extends EpisodeSearch>(view: View, slow: boolean): View => ({
  ...view,
  turn: undefined,
  pace: slow ? "slow" : undefined,
});

/** The clock of a task; `t` in the address is where it stands still, and pausing writes it there. */
export function useTaskClock(
  times: readonly number[],
  view: EpisodeSearch,
  onView: (view: EpisodeSearch) => void,
): Clock {
  const clock = useClock({ duration: (times.at(-1) ?? 1) - (times[0] ?? 0), startAt: view.t });
  useEffect(() => {
    let playing = clock.isPlaying();
    return clock.subscribe((time) => {
      if (playing && !clock.isPlaying()) onView({ ...view, t: Number(time.toFixed(3)) });
      playing = clock.isPlaying();
    });
  });
  return clock;
}

/** The keys that move through time and turns. */
export function useEpisodeKeys(
  clock: Clock,
  turns: number,
  current: number | undefined,
  view: EpisodeSearch,
  onView: (view: EpisodeSearch) => void,
): void {
  const toTurn = (turn: number) => {
    if (turn >= 1 && turn <= turns) onView(atTurn(view, turn));
  };
  const step = (direction: number) => (event: KeyboardEvent) => {
    clock.pause();
    clock.seek(clock.getTime() + (direction * clock.duration * (event.shiftKey ? 10 : 1)) / 200);
  };
  const at = current ?? turns;
  useKeys({
    " ": () => (clock.isPlaying() ? clock.pause() : clock.play()),
    ",": step(-1),
    "<": step(-1),
    ".": step(1),
    ">": step(1),
    "[": () => toTurn(at - 1),
    "]": () => toTurn(at + 1),
    Home: () => toTurn(1),
    End: () => toTurn(turns),
    l: () => onView(atTurn(view, undefined)),
    "1": () => onView({ ...view, chart: "time" }),
    "2": () => onView({ ...view, chart: "phase" }),
    "3": () => onView({ ...view, chart: "histogram" }),
  });
}

const SHORTEST_S = 3;
const LONGEST_S = 6;

/** How long a turn is shown at the slow pace: its motion once, but no longer than six seconds. */
const turnSeconds = (clock: Pick<Clock, "duration" | "getSpeed">) =>
  Math.min(LONGEST_S, Math.max(SHORTEST_S, clock.duration / clock.getSpeed()));

/**
 * The newest turn as it comes, or at the slow pace: each turn plays once before the next is shown. Returns the turn to
 * follow, 0 while there is none.
 */
export function usePace(clock: Clock, newest: number, slow: boolean): number {
  const [at, setAt] = useState(0);
  const since = useRef(0);
  useEffect(() => {
    if (!slow || newest <= at) return;
    const show = () => {
      since.current = performance.now();
      setAt(at + 1);
      if (clock.isPlaying()) clock.seek(0);
    };
    const left = since.current + 1000 * turnSeconds(clock) - performance.now();
    if (at === 0 || left <= 0) {
      show();
      return;
    }
    const timer = setTimeout(show, left);
    return () => clearTimeout(timer);
  }, [slow, newest, at, clock]);
  return slow ? Math.min(at, newest) : newest;
}
