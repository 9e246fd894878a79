import { useEffect, useRef } from "react";
import type { Task } from "../episode/types";
import type { Clock } from "./clock";
import { type Drawing, drawingOf, type Point } from "./drawings";
import { extent, scale, stateAt } from "./scale";
import { type Series, stroke } from "./series";
import { useWidth } from "./useSize";

const HEIGHT = 260;
const PAD = 28;
const TRAIL_S = 0.9;
const TRAIL_STEPS = 24;
const STROBE = 8;

interface Props {
  task: Task;
  series: Series[];
  clock: Clock;
}

interface Colours {
  observed: string;
  furniture: string;
  predicted: string[];
}

/** The observed body as a ring and the predicted one as a disc: a perfect match is a bullseye. */
export function Scene({ task, series, clock }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(box);

  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || width < 60) return;
    const ratio = window.devicePixelRatio || 1;
    context.canvas.width = width * ratio;
    context.canvas.height = HEIGHT * ratio;
    const drawing = drawingOf(task);
    const at = placement(task, drawing, width);
    let colours = coloursOf(series);
    const paint = (time: number) => {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, HEIGHT);
      paintFrame(context, task, series, colours, drawing, at, time);
    };
    paint(clock.getTime());
    const theme = new MutationObserver(() => {
      colours = coloursOf(series);
      paint(clock.getTime());
    });
    theme.observe(document.documentElement, { attributes: true });
    const unsubscribe = clock.subscribe(paint);
    const unwatch = clock.watch(context.canvas);
    return () => {
      unsubscribe();
      unwatch();
      theme.disconnect();
    };
  }, [task, series, clock, width]);

  return (
    <div ref={box}>
      <canvas
        ref={canvas}
        style={{ width: "100%", height: HEIGHT, display: "block" }}
        role="img"
        aria-label={`Motion of ${task.title}: observed as a ring${series.map((one) => `, ${one.label} as a disc`).join("")}`}
      />
      <p className="flex flex-wrap gap-4 text-xs text-muted">
        <span>○ observed</span>
        {series.map((one) => (
          <span key={one.label} style={{ color: stroke(one) }}>
            ● {one.label}
          </span>
        ))}
      </p>
    </div>
  );
}

function placement(task: Task, drawing: Drawing, width: number): (point: Point) => Point {
  const points = [
    ...task.shown.flatMap((shown) => shown.states.map(drawing.place)),
    ...drawing.anchors,
  ];
  const [left, right] = extent(points.map((point) => point.x));
  const [bottom, top] = extent(points.map((point) => point.y));
  const inner = { w: width - 2 * PAD, h: HEIGHT - 2 * PAD };
  if (drawing.square) {
    const unit = Math.min(inner.w / (right - left || 1), inner.h / (top - bottom || 1));
    const middle = { x: (left + right) / 2, y: (top + bottom) / 2 };
    return (p) => ({
      x: width / 2 + (p.x - middle.x) * unit,
      y: HEIGHT / 2 - (p.y - middle.y) * unit,
    });
  }
  const x = scale(left, right, right > left ? width * 0.35 : PAD, width - PAD);
  const y = scale(bottom, top, HEIGHT - PAD, PAD);
  return (p) => ({ x: right > left ? x(p.x) : width / 2, y: top > bottom ? y(p.y) : HEIGHT / 2 });
}

/** Read once a theme, not once a frame. */
function coloursOf(series: Series[]): Colours {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    observed: read("--observed"),
    furniture: read("--muted"),
    predicted: series.map((one) => read(`--${one.colour}`)),
  };
}

/** Where a moving picture is unwelcome, the trail is a strobe of a few fixed positions. */
const strobe = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function paintFrame(
  context: CanvasRenderingContext2D,
  task: Task,
  series: Series[],
  colours: Colours,
  drawing: Drawing,
  at: (point: Point) => Point,
  time: number,
): void {
  const { observed } = colours;
  const shown = task.shown[0];
  if (!shown) return;
  const start = shown.t[0] ?? 0;
  const bodyOf = (states: number[][], when: number) => {
    const state = stateAt(shown.t, states, start + when);
    return state && at(drawing.place(state));
  };
  const body = bodyOf(shown.states, time);
  if (body) {
    context.strokeStyle = colours.furniture;
    context.fillStyle = colours.furniture;
    context.lineWidth = 1.5;
    drawing.furniture(context, body, at);
  }
  context.fillStyle = observed;
  if (strobe()) {
    const duration = (shown.t.at(-1) ?? 0) - start;
    for (let i = 0; i < STROBE; i++) {
      const past = bodyOf(shown.states, (duration * i) / (STROBE - 1));
      if (past) context.fillRect(past.x - 1.5, past.y - 1.5, 3, 3);
    }
  } else
    for (let i = TRAIL_STEPS; i > 0; i--) {
      const past = bodyOf(shown.states, time - (TRAIL_S * i) / TRAIL_STEPS);
      if (!past) continue;
      context.globalAlpha = 0.5 * (1 - i / TRAIL_STEPS);
      context.fillRect(past.x - 1, past.y - 1, 2, 2);
    }
  series.forEach((one, k) => {
    if (one.states.length > 0)
      paintPrediction(
        context,
        colours.predicted[k] ?? observed,
        (when) => bodyOf(one.states, when),
        time,
      );
  });
  context.globalAlpha = 1;
  if (body) {
    context.strokeStyle = observed;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(body.x, body.y, 11, 0, 2 * Math.PI);
    context.stroke();
  }
}

function paintPrediction(
  context: CanvasRenderingContext2D,
  colour: string,
  at: (time: number) => Point | null,
  time: number,
): void {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  let before: Point | null = null;
  for (let i = TRAIL_STEPS; i >= 0; i--) {
    const point = at(time - (TRAIL_S * i) / TRAIL_STEPS);
    if (before && point) {
      context.globalAlpha = 0.7 * (1 - i / TRAIL_STEPS);
      context.beginPath();
      context.moveTo(before.x, before.y);
      context.lineTo(point.x, point.y);
      context.stroke();
    }
    before = point;
  }
  if (!before) return;
  context.globalAlpha = 1;
  context.fillStyle = colour;
  context.beginPath();
  context.arc(before.x, before.y, 6.5, 0, 2 * Math.PI);
  context.fill();
}
