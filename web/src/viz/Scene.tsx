import { useEffect, useRef } from "react";
import type { Task } from "../episode/types";
import type { Clock } from "./clock";
import { paintOf } from "./colours";
import { type Drawing, drawingOf, type Point } from "./drawings";
import { figure, symbol, unit } from "./format";
import { stroke } from "./looks";
import { placed } from "./placed";
import { stateAt } from "./scale";
import type { Series } from "./series";
import { useTextScale, useWidth } from "./useSize";

const HEIGHT = 232;
const EDGE = 14;
const PAD = 28;
const TRAIL_S = 0.9;
const TRAIL_STEPS = 24;
const STROBE = 8;

interface Props {
  task: Task;
  series: Series[];
  clock: Clock;
  /** Drawn so far out that the predictions fit in. */
  wide?: boolean;
}

interface Colours {
  observed: string;
  furniture: string;
  predicted: string[];
}

/** The observed body as a ring and the predicted one as a disc: a perfect match is a bullseye. */
export function Scene({ task, series, clock, wide = false }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(box);
  const text = useTextScale();

  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || width < 60) return;
    const ratio = window.devicePixelRatio || 1;
    context.canvas.width = width * ratio;
    context.canvas.height = HEIGHT * ratio;
    const drawing = drawingOf(task);
    const at = placement(task, drawing, width, wide ? series : []);
    let colours = coloursOf(series);
    const paint = (time: number) => {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, HEIGHT);
      paintFrame(context, { task, series, colours, drawing, at, width, text }, time);
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
  }, [task, series, clock, width, wide, text]);

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

function placement(
  task: Task,
  drawing: Drawing,
  width: number,
  within: Series[],
): (point: Point) => Point {
  const points = [
    ...task.shown.flatMap((shown) => shown.states.map(drawing.place)),
    ...within.flatMap((one) => one.states.map(drawing.place)),
    ...drawing.anchors,
  ];
  return placed(points, drawing, { width, height: HEIGHT, pad: PAD });
}

/** Read once a theme, not once a frame. */
function coloursOf(series: Series[]): Colours {
  return {
    observed: paintOf("observed"),
    furniture: paintOf("muted"),
    predicted: series.map((one) => paintOf(one.colour)),
  };
}

/** Where a moving picture is unwelcome, the trail is a strobe of a few fixed positions. */
const strobe = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

interface Stage {
  task: Task;
  series: Series[];
  colours: Colours;
  drawing: Drawing;
  at: (point: Point) => Point;
  width: number;
  text: number;
}

function paintFrame(context: CanvasRenderingContext2D, stage: Stage, time: number): void {
  const { task, series, colours, drawing, at } = stage;
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
    const colour = colours.predicted[k] ?? observed;
    const body = paintPrediction(context, colour, (when) => bodyOf(one.states, when), time);
    const state = stateAt(shown.t, one.states, start + time);
    if (body && state) paintEdge(context, stage, colour, body, state);
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
): Point | null {
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
  if (!before) return null;
  context.globalAlpha = 1;
  context.fillStyle = colour;
  context.beginPath();
  context.arc(before.x, before.y, 6.5, 0, 2 * Math.PI);
  context.fill();
  return before;
}

/** A body that has left the picture: an arrow at the edge where it is, and its position. */
function paintEdge(
  context: CanvasRenderingContext2D,
  { task, drawing, width, text }: Stage,
  colour: string,
  body: Point,
  state: number[],
): void {
  const x = Math.min(width - EDGE, Math.max(EDGE, body.x));
  const y = Math.min(HEIGHT - EDGE, Math.max(EDGE, body.y));
  if (Math.hypot(body.x - x, body.y - y) < EDGE) return;
  context.save();
  context.fillStyle = colour;
  context.translate(x, y);
  context.rotate(Math.atan2(body.y - y, body.x - x));
  context.beginPath();
  context.moveTo(11, 0);
  context.lineTo(-3, 7);
  context.lineTo(-3, -7);
  context.fill();
  context.restore();
  const told = drawing.columns.map((column) => {
    const variable = task.variables[column];
    const value = figure(state[column] ?? 0);
    return variable ? `${symbol(variable.name)} = ${value} ${unit(variable.unit ?? "")}` : value;
  });
  context.font = `${12 * text}px system-ui, sans-serif`;
  context.textAlign = x > width / 2 ? "right" : "left";
  context.textBaseline = y > HEIGHT / 2 ? "bottom" : "top";
  context.fillStyle = colour;
  context.fillText(told.join(", "), x + (x > width / 2 ? -14 : 14), y + (y > HEIGHT / 2 ? -6 : 6));
}
