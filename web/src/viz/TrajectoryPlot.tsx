import { Fragment, type KeyboardEvent, type PointerEvent, useEffect, useRef } from "react";
import type { StateVariable, Task } from "../episode/types";
import { type Clock, useWatched } from "./clock";
import { figure, symbol, unit } from "./format";
import { type Scale, scale, stateAt, ticks } from "./scale";
import { dashes, dataRange, residualReach, residuals, type Series, stroke } from "./series";
import { useWidth } from "./useSize";

const LEFT = 56;
const RIGHT = 12;
const PANEL = 120;
const RESIDUAL = 40;
const GAP = 20;
const AXIS = 36;

interface Props {
  task: Task;
  series: Series[];
  /** All predictions that are on the page: panes beside each other share their ranges. */
  beside: Series[];
  clock: Clock;
  fit: boolean;
  label: string;
}

/** Data, predictions and residuals of every variable on one time axis, with a shared cursor. */
export function TrajectoryPlot({ task, series, beside, clock, fit, label }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const cursor = useRef<SVGLineElement>(null);
  const readouts = useRef<(SVGTSpanElement | null)[]>([]);
  const width = useWidth(box);
  const t = task.shown[0]?.t ?? [];
  const start = t[0] ?? 0;
  const end = t.at(-1) ?? 1;
  const x = scale(start, end, LEFT, Math.max(LEFT + 1, width - RIGHT));
  const block = PANEL + RESIDUAL + GAP;
  const height = task.variables.length * block + AXIS;

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
    const left = event.currentTarget.getBoundingClientRect().left;
    const share = (event.clientX - left - LEFT) / (width - LEFT - RIGHT);
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
    <div ref={box} className="min-w-0">
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
              {...{ task, variable, column, series, beside, x, fit }}
              top={column * block}
            />
          ))}
          {task.variables.map((variable, column) => (
            <text
              key={variable.name}
              data-live
              x={width - RIGHT}
              y={column * block + 14}
              textAnchor="end"
              fontSize="12"
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
          <TimeAxis x={x} y={height - AXIS} name={task.time_unit} />
          <line ref={cursor} data-live y1={0} y2={height - AXIS} stroke="var(--control)" />
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
}

function Panel({ task, variable, column, series, beside, x, top, fit }: PanelProps) {
  const t = task.shown[0]?.t ?? [];
  const observed = task.shown[0]?.states ?? [];
  const y = scale(...dataRange(task, column), top + PANEL, top + 8);
  const clip = (value: number) => Math.min(top + PANEL, Math.max(top + 8, y(value)));
  const reach = residualReach(task, beside, column, fit);
  const middle = top + PANEL + RESIDUAL / 2 + 6;
  const r = scale(-reach, reach, middle + RESIDUAL / 2 - 4, middle - RESIDUAL / 2 + 4);
  const stride = Math.max(1, Math.floor(t.length / 160));
  return (
    <g fontSize="11" fill="var(--muted)">
      <text x={4} y={top + 14} fontSize="12" fill="var(--ink)">
        {symbol(variable.name)}
        {variable.unit ? ` (${unit(variable.unit)})` : ""}
      </text>
      {ticks(y.min, y.max, 4).map((value) => (
        <g key={value}>
          <line x1={LEFT} x2={x(x.max)} y1={y(value)} y2={y(value)} stroke="var(--line)" />
          {y(value) > top + 24 && (
            <text x={LEFT - 6} y={y(value) + 4} textAnchor="end">
              {figure(value)}
            </text>
          )}
        </g>
      ))}
      {t.map((time, i) =>
        i % stride ? null : (
          <circle
            key={time}
            cx={x(time)}
            cy={y(observed[i]?.[column] ?? 0)}
            r={2.2}
            fill="none"
            stroke="var(--observed)"
          />
        ),
      )}
      {series.map((one) => (
        <path
          key={one.label}
          d={one.states
            .map((state, i) => {
              const at = `${x(t[i] ?? 0).toFixed(1)} ${clip(state[column] ?? 0).toFixed(1)}`;
              return `${i ? "L" : "M"}${at}`;
            })
            .join("")}
          fill="none"
          stroke={stroke(one)}
          strokeWidth={2}
          strokeDasharray={dashes(one)}
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
                y2={top + PANEL}
                stroke="var(--danger)"
                strokeDasharray="2 3"
              />
              {column === 0 && (
                <text
                  x={x(one.stopped.t) + (one.stopped.t > (x.min + x.max) / 2 ? -5 : 5)}
                  y={top + 32 + 14 * k}
                  textAnchor={one.stopped.t > (x.min + x.max) / 2 ? "end" : "start"}
                >
                  × {one.stopped.why} at {figure(one.stopped.t)}
                  {task.time_unit ? ` ${task.time_unit}` : ""}
                </text>
              )}
            </g>
          ),
      )}
      {beside.length > 0 && (
        <g>
          <line x1={LEFT} x2={x(x.max)} y1={middle} y2={middle} stroke="var(--line)" />
          <text x={LEFT - 6} y={middle + 4} textAnchor="end">
            ±{figure(reach, 2)}
          </text>
          {series.map((one, k) =>
            residuals(task, one, column).map((value, i) => {
              const clipped = Math.abs(value) > reach;
              const at = x(t[i] ?? 0) + k;
              const to = r(Math.max(-reach, Math.min(reach, value)));
              return (
                <g key={`${one.label} ${t[i]}`}>
                  <line
                    x1={at}
                    x2={at}
                    y1={middle}
                    y2={to}
                    stroke={series.length > 1 ? stroke(one) : "var(--residual)"}
                    strokeWidth={1.5}
                  />
                  {clipped && <circle cx={at} cy={to} r={1.8} fill="var(--residual)" />}
                </g>
              );
            }),
          )}
        </g>
      )}
    </g>
  );
}

function TimeAxis({ x, y, name }: { x: Scale; y: number; name: string | null }) {
  return (
    <g fontSize="11" fill="var(--muted)">
      {ticks(x.min, x.max, x(x.max) - x(x.min) < 360 ? 4 : 6).map((value) => (
        <g key={value}>
          <line x1={x(value)} x2={x(value)} y1={y} y2={y + 4} stroke="var(--control)" />
          <text x={x(value)} y={y + 16} textAnchor="middle">
            {figure(value)}
          </text>
        </g>
      ))}
      <text x={x(x.max)} y={y + 31} textAnchor="end">
        t{name ? ` (${name})` : ""}
      </text>
    </g>
  );
}
