import { type ReactNode, useEffect, useRef, useState } from "react";
import type { Clock } from "./clock";
import { figure } from "./format";

const SPEEDS = [0.25, 0.5, 1, 2];

interface Props {
  clock: Clock;
  unit: string | null;
  /** More controls that belong to the clock. */
  children?: ReactNode;
}

/** The clock of the motion. Round, where what drives a policy is square: the two pause different things. */
export function Transport({ clock, unit, children }: Props) {
  const slider = useRef<HTMLInputElement>(null);
  const readout = useRef<HTMLSpanElement>(null);
  const [playing, setPlaying] = useState(clock.isPlaying());
  const [speed, setSpeed] = useState(clock.getSpeed());

  useEffect(() => {
    // Every frame: straight into the elements, not through React.
    const show = (time: number) => {
      if (slider.current) slider.current.value = String(time);
      if (readout.current) {
        readout.current.textContent = `${time.toFixed(2)} / ${figure(clock.duration)} ${unit ?? ""}`;
      }
      setPlaying(clock.isPlaying());
      setSpeed(clock.getSpeed());
    };
    show(clock.getTime());
    return clock.subscribe(show);
  }, [clock, unit]);

  return (
    <fieldset className="flex flex-wrap items-center gap-3" aria-label="Playback">
      <button
        type="button"
        className="round min-w-44"
        onClick={() => (playing ? clock.pause() : clock.play())}
      >
        <span aria-hidden="true">{playing ? "❚❚ " : "► "}</span>
        {playing ? "Pause the motion" : "Play the motion"}
      </button>
      <input
        ref={slider}
        type="range"
        aria-label="Time"
        className="min-w-32 flex-1"
        min={0}
        max={clock.duration}
        step={clock.duration / 500}
        defaultValue={0}
        onChange={(event) => {
          const to = event.target.valueAsNumber; // before pausing writes the old time into the slider
          clock.pause();
          clock.seek(to);
        }}
      />
      <span ref={readout} className="text-muted sm:min-w-32 sm:text-right" />
      <select
        aria-label="Speed"
        className="button"
        value={speed}
        onChange={(event) => clock.setSpeed(Number(event.target.value))}
      >
        {SPEEDS.map((value) => (
          <option key={value} value={value}>
            {value}×
          </option>
        ))}
      </select>
      {children}
    </fieldset>
  );
}
