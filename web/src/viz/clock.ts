import { type RefObject, useEffect, useMemo, useRef } from "react";

export interface Clock {
  duration: number;
  getTime(): number;
  isPlaying(): boolean;
  getSpeed(): number;
  seek(time: number): void;
  play(): void;
  pause(): void;
  setSpeed(speed: number): void;
  subscribe(listener: (time: number) => void): () => void;
  /** Names an element that moves with the clock: while none of them can be seen, the clock rests. */
  watch(element: Element): () => void;
  dispose(): void;
}

/** One clock for every scene, cursor and readout: physical seconds, looping, at rest while nothing is seen. */
export function createClock(duration: number): Clock {
  const listeners = new Set<(time: number) => void>();
  const watched = new Set<Element>();
  const seen = new Set<Element>();
  let time = 0;
  let speed = 1;
  let playing = false;
  let frame = 0;
  let before = 0;
  const tell = () => {
    for (const listener of listeners) listener(time);
  };
  const tick = (now: number) => {
    if (!playing) return;
    time += ((now - before) / 1000) * speed;
    before = now;
    if (time > duration) time = 0;
    tell();
    frame = requestAnimationFrame(tick);
  };
  const run = () => {
    cancelAnimationFrame(frame);
    if (!playing || document.hidden || (watched.size > 0 && seen.size === 0)) return;
    before = performance.now();
    frame = requestAnimationFrame(tick);
  };
  document.addEventListener("visibilitychange", run);
  const observer = new IntersectionObserver((entries) => {
    const rested = seen.size === 0;
    for (const entry of entries)
      if (entry.isIntersecting) seen.add(entry.target);
      else seen.delete(entry.target);
    if (rested !== (seen.size === 0)) run();
  });
  return {
    duration,
    getTime: () => time,
    isPlaying: () => playing,
    getSpeed: () => speed,
    seek(to) {
      time = Math.min(duration, Math.max(0, to));
      tell();
    },
    play() {
      playing = true;
      run();
      tell();
    },
    pause() {
      playing = false;
      cancelAnimationFrame(frame);
      tell();
    },
    setSpeed(to) {
      speed = to;
      tell();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    watch(element) {
      watched.add(element);
      observer.observe(element);
      return () => {
        watched.delete(element);
        seen.delete(element);
        observer.unobserve(element);
        run();
      };
    },
    dispose() {
      playing = false;
      observer.disconnect();
      cancelAnimationFrame(frame);
      document.removeEventListener("visibilitychange", run);
    },
  };
}

/** A clock that lives as long as the component; it starts by itself unless motion is unwelcome. */
export function useClock({
  duration,
  startAt,
}: {
  duration: number;
  /** Where to stand still instead of playing. */
  startAt?: number | undefined;
}): Clock {
  const clock = useMemo(() => createClock(duration), [duration]);
  const still = useRef(startAt);
  useEffect(() => {
    if (still.current !== undefined) clock.seek(still.current);
    else if (!matchMedia("(prefers-reduced-motion: reduce)").matches) clock.play();
    return () => clock.dispose();
  }, [clock]);
  return clock;
}

/** Keeps the clock going while what `box` holds can be seen. */
export function useWatched(clock: Clock, box: RefObject<Element | null>): void {
  useEffect(() => (box.current ? clock.watch(box.current) : undefined), [clock, box]);
}
