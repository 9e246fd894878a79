import { Fragment, type KeyboardEvent, type PointerEvent, useEffect, useId, useRef } from "react";
import type { StateVariable, Task } from "../episode/types";
import { type Clock, useWatched } from "./clock";
import { decimated, type Escape, escapes } from "./decimate";
import { axisName, figure } from "./format";
import { stroke } from "./looks";
import { type Scale, scale, stateAt, ticks } from "./scale";
import { drawnRange, residualReach, residuals, type Series } from "./series";
import { TickLabel } from "./TickLabel";
import { useTextScale, useWidth } from "./useSize";

const LEFT = 72;
const RIGHT = 12;
const AXIS = 36;
const READOUT = 56;
const NAME = 90;
/** Rings as long as they can be told apart; beyond, the band that the data fill on each pixel column. */
const MOST_RINGS = 300;
const MOST_ARROWS = 3; // of one curve; where more than two share a plot each has one
/** Far outside the frame: no drawing needs to know how far. */
const BEYOND = 5000;

/** The height of a panel, of its residuals and of the gap below: with more variables each gets less. */
function heights(variables: number): { panel: number; residual: number; gap: number } {
  if (variables <= 2) return { panel: 112, residual: 36, gap: 18 };
  if (variables === 3) return { panel: 78, residual: 28, gap: 14 };
  return { panel: 60, residual: 24, gap: 12 };
}

interface Props {
  task: Task;
  series: Series[];
  /** All predictions that are on the page: panes beside each other share their ranges. */
  beside: Series[];
  clock: Clock;
  fit: boolean;
  /** Drawn so far out that the predictions fit in. */
  wide?: boolean;
  label: string;
}

/** Data, predictions and residuals of every variable on one time axis, with a shared cursor. */
export function TrajectoryPlot({ task, series, beside, clock, fit, wide = false, label }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const cursor = useRef<SVGLineElement>(null);
  const readouts = useRef<(SVGTSpanElement | null)[]>([]);
  const width = useWidth(box);
  const text = useTextScale();
  const left = LEFT * text;
  const size = heights(task.variables.length);
  const t = task.shown[0]?.t ?? [];
  const start = t[0] ?? 0;
  const end = t.at(-1) ?? 1;
  const x = scale(start, end, left, Math.max(left + 1, width - RIGHT));
  const block = size.panel + size.residual + size.gap;
  const height = task.variables.length * block + AXIS * text;
  // The values at the cursor stand beside a variable's name, as long as there is room for all.
  const legible = (1 + series.length) * READOUT * text <= width - left - NAME * text;

  useEffect(() => {
    const move = (time: number) => {
      const at = String(x(time + start));
      cursor.current?.setAttribute("x1", at);
      cursor.current?.setAttribute("x2", at);
      const all = [task.shown[0]?.states ?? [], ...series.map((one) => one.states)];
      const values = all.map((states) => stateAt(t, states, time + start));
      readouts.current.forEach((readout, i) => {
        const value = values[i % values.length]?.[Math.floor(i / values.length)];
        if (readout) readout.textContent = value === undefined ? "–" : figure(value);
      });
    };
    move(clock.getTime());
    return clock.subscribe(move);
  });
  useWatched(clock, box);

  const seek = (event: PointerEvent<SVGSVGElement>) => {
    if (event.buttons !== 1) return;
    const edge = event.currentTarget.getBoundingClientRect().left;
    const share = (event.clientX - edge - left) / (width - left - RIGHT);
    clock.pause();
    clock.seek(share * (end - start));
  };
  const step = (event: KeyboardEvent<SVGSVGElement>) => {
    const direction = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (direction === 0) return;
    event.preventDefault();
    clock.pause();
    clock.seek(clock.getTime() + (direction * (end - start)) / 100);
  };

  return (
    // Its place is kept until its width is known: nothing below moves.
    <div ref={box} className="min-w-0" style={{ minHeight: height }}>
      {width >= 60 && (
        <svg
          width={width}
          height={height}
          role="img"
          aria-label={label}
          tabIndex={0}
          onPointerDown={seek}
          onPointerMove={seek}
          onKeyDown={step}
          style={{ touchAction: "pan-y" }}
        >
          {task.variables.map((variable, column) => (
            <Panel
              key={variable.name}
              {...{ task, variable, column, series, beside, x, fit, wide, size }}
              top={column * block}
            />
          ))}
          {legible &&
            task.variables.map((variable, column) => (
              <text
                key={variable.name}
                data-live
                x={width - RIGHT}
                y={column * block + 14}
                textAnchor="end"
                fontSize="0.75rem"
                fill="var(--ink)"
                stroke="var(--surface)"
                strokeWidth="4"
                paintOrder="stroke"
              >
                {["var(--observed)", ...series.map(stroke)].map((colour, k, all) => (
                  <Fragment key={colour}>
                    <tspan fill={colour}>{k === 0 ? "○ " : " ● "}</tspan>
                    <tspan
                      ref={(element) => {
                        readouts.current[column * all.length + k] = element;
                      }}
                    />
                  </Fragment>
                ))}
              </text>
            ))}
          <TimeAxis x={x} y={height - AXIS * text} text={text} name={task.time_unit} />
          <line ref={cursor} data-live y1={0} y2={height - AXIS * text} stroke="var(--control)" />
        </svg>
      )}
    </div>
  );
}

interface PanelProps {
  task: Task;
  variable: StateVariable;
  column: number;
  series: Series[];
  beside: Series[];
  x: Scale;
  top: number;
  fit: boolean;
  wide: boolean;
  size: { panel: number; residual: number };
}

const clamped = (values: number[], reach: number) =>
  values.map((value) => [Math.max(-reach, Math.min(reach, value))]);
const px = (value: number) => value.toFixed(1);

function Panel(props: PanelProps) {
  const { task, variable, column, series, beside, x, top, fit, wide, size } = props;
  const frame = useId();
  const t = task.shown[0]?.t ?? [];
  const floor = top + size.panel;
  const y = scale(...drawnRange(task, column, beside, wide), floor, top + 8);
  const reach = residualReach(task, beside, column, fit);
  const middle = floor + size.residual / 2 + 6;
  const half = size.residual / 2 - 4;
  const residual = scale(-reach, reach, middle + half, middle - half);
  return (
    <g fontSize="0.6875rem" fill="var(--muted)">
      <text x={4} y={top + 14} fontSize="0.75rem" fill="var(--ink)">
        {axisName(variable)}
      </text>
      {ticks(y.min, y.max, 4).map((value) => (
        <g key={value}>
          <line x1={x(x.min)} x2={x(x.max)} y1={y(value)} y2={y(value)} stroke="var(--line)" />
          {y(value) > top + 24 && (
            <text x={x(x.min) - 6} y={y(value) + 4} textAnchor="end">
              {figure(value)}
            </text>
          )}
        </g>
      ))}
      <Observed task={task} column={column} x={x} y={y} />
      <clipPath id={frame}>
        <rect x={x(x.min)} width={x(x.max) - x(x.min)} y={top + 8} height={size.panel - 8} />
      </clipPath>
      <g clipPath={`url(#${frame})`}>
        {series.map((one) => (
          <path
            key={one.label}
            d={line(t, one.states, column, x, y)}
            fill="none"
            stroke={stroke(one)}
            strokeWidth={2}
            strokeDasharray={one.dash}
          />
        ))}
      </g>
      {series.map((one) => (
        <Arrows
          key={one.label}
          most={series.length > 2 ? 1 : MOST_ARROWS}
          values={one.states.map((state) => state[column] ?? 0)}
          {...{ t, x, y, colour: stroke(one), top: top + 8, floor }}
        />
      ))}
      {series.map(
        (one, k) =>
          one.stopped && (
            <g key={one.label} fill="var(--danger)" stroke="none">
              <line
                x1={x(one.stopped.t)}
                x2={x(one.stopped.t)}
                y1={top + 22}
                y2={floor}
                stroke="var(--danger)"
                strokeDasharray="2 3"
              />
              {column === 0 && (
                <text
                  x={x(one.stopped.t) + (one.stopped.t > (x.min + x.max) / 2 ? -5 : 5)}
                  y={top + 32 + 14 * k}
                  textAnchor={one.stopped.t > (x.min + x.max) / 2 ? "end" : "start"}
                >
                  × {series.length > 1 && `${one.label}: `}
                  {one.stopped.why} at {figure(one.stopped.t)}
                  {task.time_unit ? ` ${task.time_unit}` : ""}
                </text>
              )}
            </g>
          ),
      )}
      {beside.length > 0 && (
        <g>
          <line x1={x(x.min)} x2={x(x.max)} y1={middle} y2={middle} stroke="var(--line)" />
          <text x={x(x.min) - 6} y={middle + 4} textAnchor="end">
            ±{figure(reach, 2)}
          </text>
          {series.map((one, k) =>
            // Bars of more than two would hide each other.
            series.length > 2 ? (
              <path
                key={one.label}
                d={line(t, clamped(residuals(task, one, column), reach), 0, x, residual)}
                fill="none"
                stroke={stroke(one)}
                strokeDasharray={one.dash}
              />
            ) : (
              <Bars
                key={one.label}
                values={residuals(task, one, column)}
                colour={series.length > 1 ? stroke(one) : "var(--residual)"}
                shift={k}
                {...{ t, x, middle, half, reach }}
              />
            ),
          )}
        </g>
      )}
    </g>
  );
}

interface ObservedProps {
  task: Task;
  column: number;
  x: Scale;
  y: Scale;
}

/** The data: a ring each, or, where there are too many, from the lowest to the highest on each pixel column. */
function Observed({ task, column, x, y }: ObservedProps) {
  const shown = task.shown[0];
  const missing = new Set(
    (shown?.missing ?? []).filter((cell) => cell[1] === column).map((cell) => cell[0]),
  );
  const points = (shown?.t ?? []).flatMap((time, i): [number, number][] => {
    const value = shown?.states[i]?.[column];
    return value === undefined || missing.has(i) ? [] : [[x(time), y(value)]];
  });
  if (points.length <= MOST_RINGS) {
    const r = 2.2;
    const ring = `a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
    const d = points.map(([at, value]) => `M${px(at - r)} ${px(value)}${ring}`).join("");
    return <path d={d} fill="none" stroke="var(--observed)" data-rows={points.length} />;
  }
  const xs = points.map(([at]) => at);
  const ys = points.map(([, value]) => value);
  const d = decimated(xs, ys).map((i, k) => `${k ? "L" : "M"}${px(xs[i] ?? 0)} ${px(ys[i] ?? 0)}`);
  return (
    <path
      d={d.join("")}
      fill="none"
      stroke="var(--observed)"
      strokeOpacity={0.55}
      strokeWidth={3}
      strokeLinejoin="round"
      data-rows={points.length}
    />
  );
}

function line(t: number[], states: number[][], column: number, x: Scale, y: Scale): string {
  const rows = states.slice(0, t.length);
  const xs = rows.map((_, i) => x(t[i] ?? 0));
  const ys = rows.map((state) => Math.min(BEYOND, Math.max(-BEYOND, y(state[column] ?? 0))));
  return decimated(xs, ys)
    .map((i, k) => `${k ? "L" : "M"}${px(xs[i] ?? 0)} ${px(ys[i] ?? 0)}`)
    .join("");
}

interface ArrowsProps {
  values: number[];
  t: number[];
  x: Scale;
  y: Scale;
  colour: string;
  top: number;
  floor: number;
  most: number;
}

/** Where a prediction leaves the frame: an arrow, and how far it goes. The farthest ones, where there are many. */
function Arrows({ values, t, x, y, colour, top, floor, most }: ArrowsProps) {
  const range = y.max - y.min;
  const over = ({ above, value }: Escape) => (above ? value - y.max : y.min - value);
  const told = escapes(values, y.min - 1e-9 * range, y.max + 1e-9 * range)
    .sort((a, b) => over(b) - over(a))
    .slice(0, most);
  return told.map((one) => {
    const at = x(t[one.from] ?? 0);
    const [edge, way] = one.above ? [top, 1] : [floor, -1];
    const left = at > (x(x.min) + x(x.max)) / 2;
    return (
      <g key={one.from} fill={colour} data-escape={one.above ? "above" : "below"}>
        <path d={`M${px(at)} ${edge - 2 * way}l5 ${8 * way}h-10z`} />
        <text
          x={at + (left ? -8 : 8)}
          y={one.above ? edge + 10 : edge - 3}
          textAnchor={left ? "end" : "start"}
          stroke="var(--surface)"
          strokeWidth="3"
          paintOrder="stroke"
        >
          {figure(one.value)}
        </text>
      </g>
    );
  });
}

interface BarsProps {
  values: number[];
  t: number[];
  x: Scale;
  middle: number;
  half: number;
  reach: number;
  colour: string;
  /** Pixels to the right, so that two series stand beside each other. */
  shift: number;
}

/** One bar a row from the middle line, a dot where it is cut off; of many rows the largest on each pixel column. */
function Bars({ values, t, x, middle, half, reach, colour, shift }: BarsProps) {
  const xs = values.map((_, i) => x(t[i] ?? 0) + shift);
  const kept = values.length > MOST_RINGS ? decimated(xs, values) : values.map((_, i) => i);
  const to = (value: number) => middle - (Math.max(-reach, Math.min(reach, value)) / reach) * half;
  const bars = kept.map((i) => `M${px(xs[i] ?? 0)} ${px(middle)}V${px(to(values[i] ?? 0))}`);
  const cut = kept.filter((i) => Math.abs(values[i] ?? 0) > reach);
  const dot = "a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0 -3.6 0";
  const dots = cut.map((i) => `M${px((xs[i] ?? 0) - 1.8)} ${px(to(values[i] ?? 0))}${dot}`);
  return (
    <>
      <path d={bars.join("")} stroke={colour} strokeWidth={1.5} fill="none" />
      {dots.length > 0 && <path d={dots.join("")} fill="var(--residual)" />}
    </>
  );
}

interface AxisProps {
  x: Scale;
  y: number;
  text: number;
  name: string | null;
}

function TimeAxis({ x, y, text, name }: AxisProps) {
  return (
    <g fontSize="0.6875rem" fill="var(--muted)">
      {ticks(x.min, x.max, x(x.max) - x(x.min) < 360 * text ? 4 : 6).map((value) => (
        <g key={value}>
          <line x1={x(value)} x2={x(value)} y1={y} y2={y + 4} stroke="var(--control)" />
          <TickLabel x={x(value)} y={y + 16 * text} width={x(x.max) + RIGHT}>
            {figure(value)}
          </TickLabel>
        </g>
      ))}
      <text x={x(x.max)} y={y + 31 * text} textAnchor="end">
        t{name ? ` (${name})` : ""}
      </text>
    </g>
  );
}
