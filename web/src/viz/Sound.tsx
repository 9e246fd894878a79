import { useEffect, useState } from "react";
import type { Task } from "../episode/types";
import type { Clock } from "./clock";
import { stateAt } from "./scale";
import { dataRange, type Series } from "./series";

const LOWEST_HZ = 220;
const OCTAVES = 2;
const GAIN = 0.06;
const GLIDE_S = 0.02;

interface Props {
  task: Task;
  series: Series[];
  clock: Clock;
}

/** The first variable as pitch, observed in the left ear and predicted in the right: agreement is unison. */
export function Sound({ task, series, clock }: Props) {
  const [on, setOn] = useState(false);
  const prediction = series[0]?.states;
  useEffect(() => {
    if (!on) return;
    const audio = new AudioContext();
    const left = voice(audio, -1);
    const right = voice(audio, 1);
    const shown = task.shown[0] ?? { t: [], states: [] };
    const start = shown.t[0] ?? 0;
    const [low, high] = dataRange(task, 0);
    const tell = (time: number) => {
      for (const [one, states] of [
        [left, shown.states],
        [right, prediction ?? []],
      ] as const) {
        const value = stateAt(shown.t, states, start + time)?.[0];
        const share = Math.min(1, Math.max(0, ((value ?? low) - low) / (high - low || 1)));
        one.pitch.setTargetAtTime(LOWEST_HZ * 2 ** (OCTAVES * share), audio.currentTime, GLIDE_S);
        const heard = value !== undefined && clock.isPlaying();
        one.gain.setTargetAtTime(heard ? GAIN : 0, audio.currentTime, GLIDE_S);
      }
    };
    tell(clock.getTime());
    const unsubscribe = clock.subscribe(tell);
    return () => {
      unsubscribe();
      audio.close();
    };
  }, [on, task, prediction, clock]);
  return (
    <button
      type="button"
      className="button"
      aria-pressed={on}
      title="Pitch: observed left, predicted right"
      onClick={() => setOn(!on)}
    >
      Sound {on ? "on" : "off"}
    </button>
  );
}

function voice(audio: AudioContext, pan: -1 | 1) {
  const tone = audio.createOscillator();
  const level = audio.createGain();
  level.gain.value = 0;
  tone.connect(level).connect(new StereoPannerNode(audio, { pan })).connect(audio.destination);
  tone.start();
  return { pitch: tone.frequency, gain: level.gain };
}
