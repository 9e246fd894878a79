import { useEffect, useRef, useState } from "react";
import type { Clock } from "./clock";

const LONGEST_S = 6;

interface Props {
  clock: Clock;
  turns: number;
  onTurn: (turn: number) => void;
}

/** Goes through the turns by itself: each plays once, but no longer than six seconds. */
export function PlayEpisode({ clock, turns, onTurn }: Props) {
  const [turn, setTurn] = useState<number | null>(null);
  const show = useRef(onTurn);
  show.current = onTurn;
  useEffect(() => {
    if (turn === null) return;
    show.current(turn);
    clock.seek(0);
    clock.play();
    const stop = clock.subscribe(() => {
      if (!clock.isPlaying()) setTurn(null);
    });
    const seconds = Math.min(LONGEST_S, clock.duration / clock.getSpeed());
    const next = setTimeout(() => setTurn(turn < turns ? turn + 1 : null), 1000 * seconds);
    return () => {
      stop();
      clearTimeout(next);
    };
  }, [turn, turns, clock]);
  return (
    <button
      type="button"
      className="button"
      aria-pressed={turn !== null}
      onClick={() => setTurn(turn === null ? 1 : null)}
    >
      {turn === null ? "Play episode" : `Playing turn ${turn} of ${turns}`}
    </button>
  );
}
