import { useEffect, useId, useRef } from "react";
import type { Task } from "../episode/types";
import { type Clock, useWatched } from "./clock";
import { axisName, figure } from "./format";
import { stroke } from "./looks";
import { scale, stateAt, ticks } from "./scale";
import { drawnRange, type Series } from "./series";
import { TickLabel } from "./TickLabel";
import { useTextScale, useWidth } from "./useSize";

const LEFT = 72;
const BOTTOM = 40;
const HEIGHT = 300;
const BEYOND = 5000;

interface Props {
  task: Task;
  series: Series[];
  /** All predictions that are on the page: panes beside each other share their ranges. */
  beside: Series[];
  clock: Clock;
  /** Drawn so far out that the predictions fit in. */
  wide?: boolean;
  label: string;
}

/** Pairs of variables that belong in one portrait: a position and its rate, else neighbours. */
function portraits(task: Task): [number, number][] {
  const names = task.variables.map((variable) => variable.name);
  const pairs = task.variables.flatMap((rate, i): [number, number][] => {
    const position = names.indexOf(rate.rate_of ?? "");
    return position < 0 ? [] : [[position, i]];
  });
  if (pairs.length > 0) return pairs;
  return names.length > 1 ? [[0, 1]] : [];
}

/** Each position against its rate: closed where the motion repeats, spiralling where it is damped. */
export function PhasePortrait({ task, series, beside, clock, wide = false, label }: Props) {
  const pairs = portraits(task);
  if (pairs.length === 0)
    return <p className="text-muted">One variable has no phase portrait; see it against time.</p>;
  return (
    <div
      className="grid gap-4"
      style={{ gridTemplateColumns: "repeat(auto-fit, minmax(min(100%, 260px), 1fr))" }}
    >
      {pairs.map(([a, b]) => (
        <Portrait key={`${a} ${b}`} {...{ task, series, beside, clock, wide, label, a, b }} />
      ))}
    </div>
  );
}

interface PortraitProps extends Props {
  a: number;
  b: number;
}

function Portrait(props: PortraitProps) {
  const { task, series, beside, clock, wide = false, label, a, b } = props;
  const frame = useId();
  const text = useTextScale();
  const left = LEFT * text;
  const bottom = BOTTOM * text;
  const box = useRef<HTMLDivElement>(null);
  const mark = useRef<SVGCircleElement>(null);
  const width = useWidth(box);
  const shown = task.shown[0];
  const x = scale(...drawnRange(task, a, beside, wide), left, Math.max(left + 1, width - 8));
  const y = scale(...drawnRange(task, b, beside, wide), HEIGHT - bottom, 8);

  useEffect(() => {
    const move = (time: number) => {
      const state = shown && stateAt(shown.t, shown.states, time + (shown.t[0] ?? 0));
      if (!state) return;
      mark.current?.setAttribute("cx", String(x(state[a] ?? 0)));
      mark.current?.setAttribute("cy", String(y(state[b] ?? 0)));
    };
    move(clock.getTime());
    return clock.subscribe(move);
  });
  useWatched(clock, box);

  const far = (value: number) => Math.min(BEYOND, Math.max(-BEYOND, value)).toFixed(1);
  const ring = "a2.2 2.2 0 1 0 4.4 0a2.2 2.2 0 1 0 -4.4 0";
  const name = (column: number) => {
    const variable = task.variables[column];
    return variable ? axisName(variable) : "";
  };
  return (
    <div ref={box} className="min-w-0" style={{ maxWidth: 560 }}>
      {width >= 60 && (
        <svg
          width={width}
          height={HEIGHT}
          role="img"
          aria-label={`${name(b)} against ${name(a)}. ${label}`}
        >
          <g fontSize="0.6875rem" fill="var(--muted)">
            {ticks(x.min, x.max, 4).map((value) => (
              <g key={value}>
                <line
                  x1={x(value)}
                  x2={x(value)}
                  y1={8}
                  y2={HEIGHT - bottom}
                  stroke="var(--line)"
                />
                <TickLabel x={x(value)} y={HEIGHT - bottom + 16 * text} width={width}>
                  {figure(value)}
                </TickLabel>
              </g>
            ))}
            {ticks(y.min, y.max, 4).map((value) => (
              <g key={value}>
                <line x1={left} x2={x(x.max)} y1={y(value)} y2={y(value)} stroke="var(--line)" />
                <text x={left - 6} y={y(value) + 4} textAnchor="end">
                  {figure(value)}
                </text>
              </g>
            ))}
            <text x={x(x.max)} y={HEIGHT - 6} textAnchor="end" fill="var(--ink)">
              {name(a)}
            </text>
            <text x={4} y={18} fill="var(--ink)" fontSize="0.75rem">
              {name(b)}
            </text>
          </g>
          <path
            d={(shown?.states ?? [])
              .map((state) => `M${far(x(state[a] ?? 0) - 2.2)} ${far(y(state[b] ?? 0))}${ring}`)
              .join("")}
            fill="none"
            stroke="var(--observed)"
          />
          <clipPath id={frame}>
            <rect
              x={left}
              width={Math.max(0, width - 8 - left)}
              y={8}
              height={HEIGHT - bottom - 8}
            />
          </clipPath>
          <g clipPath={`url(#${frame})`}>
            {series.map((one) => (
              <path
                key={one.label}
                fill="none"
                stroke={stroke(one)}
                strokeWidth={2}
                strokeDasharray={one.dash}
                d={one.states
                  .map((state, i) => {
                    const at = `${far(x(state[a] ?? 0))} ${far(y(state[b] ?? 0))}`;
                    return `${i ? "L" : "M"}${at}`;
                  })
                  .join("")}
              />
            ))}
          </g>
          <circle ref={mark} r={6} fill="none" stroke="var(--observed)" strokeWidth={2} />
        </svg>
      )}
    </div>
  );
}
