import { useEffect, useRef } from "react";
import type { SystemInfo } from "../episode/types";
import { paintOf } from "./colours";
import { drawingOf } from "./drawings";
import { placed } from "./placed";
import { useWidth } from "./useSize";

const HEIGHT = 96;
const SHOWN = 14;

/** A motion in one still picture: where the body was, the later the darker. */
export function Snapshot({ system }: { system: SystemInfo }) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(box);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || width < 60) return;
    const ratio = window.devicePixelRatio || 1;
    context.canvas.width = width * ratio;
    context.canvas.height = HEIGHT * ratio;
    const { states } = system.picture;
    const drawing = drawingOf({ variables: system.variables, system_id: system.id });
    const points = [...states.map(drawing.place), ...drawing.anchors];
    const at = placed(points, drawing, { width, height: HEIGHT, pad: 14 });
    // Of what swings, a part: the whole would be drawn over itself.
    const swings = drawing.anchors.length > 0 || system.id.includes("spring");
    const last = Math.max(1, Math.floor(states.length / (swings ? 2.4 : 1)) - 1);
    const paint = () => {
      const [ink, line] = [paintOf("trained"), paintOf("muted")];
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, HEIGHT);
      for (let i = 0; i < SHOWN; i++) {
        const state = states[Math.round((last * i) / (SHOWN - 1))];
        if (!state) continue;
        const body = at(drawing.place(state));
        const newest = i === SHOWN - 1;
        context.globalAlpha = newest ? 1 : 0.15 + (0.5 * i) / SHOWN;
        context.fillStyle = ink;
        context.strokeStyle = line;
        if (newest) {
          context.fillStyle = line;
          drawing.furniture(context, body, at);
          context.fillStyle = ink;
        }
        context.beginPath();
        context.arc(body.x, body.y, newest ? 7 : 4, 0, 2 * Math.PI);
        context.fill();
      }
      context.globalAlpha = 1;
    };
    paint();
    const theme = new MutationObserver(paint);
    theme.observe(document.documentElement, { attributes: true });
    return () => theme.disconnect();
  }, [system, width]);
  return (
    <div ref={box} aria-hidden="true">
      <canvas ref={canvas} style={{ width: "100%", height: HEIGHT, display: "block" }} />
    </div>
  );
}
