import { type KeyboardEvent, type PointerEvent, useEffect, useRef } from "react";
import type { StateVariable, Task, TurnView } from "../episode/types";
import type { Clock } from "./clock";
import { figure, symbol } from "./format";
import { extent, type Scale, scale, ticks } from "./scale";
import { useWidth } from "./useSize";

const LEFT = 56;
const RIGHT = 12;
const PANEL = 132;
const RESIDUAL = 44;
const GAP = 22;
const AXIS = 36;
const MAX_ROWS = 50;

interface Props {
  task: Task;
  turn: TurnView | null;
  clock: Clock;
}

interface Row {
  t: number;
  observed: number;
  predicted: number | null;
}

/** Data, prediction and residual of every variable on one time axis, with a shared cursor. */
export function TrajectoryPlot({ task, turn, clock }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const cursor = useRef<SVGLineElement>(null);
  const width = useWidth(box);
  const shown = task.shown[0];
  const t = shown?.t ?? [];
  const [start, end] = extent(t);
  const x = scale(start, end, LEFT, Math.max(LEFT + 1, width - RIGHT));
  const block = PANEL + RESIDUAL + GAP;
  const height = task.variables.length * block + AXIS;

  useEffect(() => {
    const move = (time: number) => {
      const at = String(x(time + start));
      cursor.current?.setAttribute("x1", at);
      cursor.current?.setAttribute("x2", at);
    };
    move(clock.getTime());
    return clock.subscribe(move);
  });

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
          aria-label={finding(task, turn)}
          tabIndex={0}
          onPointerDown={seek}
          onPointerMove={seek}
          onKeyDown={step}
          style={{ touchAction: "pan-y" }}
        >
          {task.variables.map((variable, i) => (
            <Panel
              key={variable.name}
              variable={variable}
              rows={rowsOf(task, turn, i)}
              x={x}
              top={i * block}
            />
          ))}
          <TimeAxis x={x} y={height - AXIS} unit={task.time_unit} />
          <line
            ref={cursor}
            x1={LEFT}
            x2={LEFT}
            y1={0}
            y2={height - AXIS}
            stroke="var(--control)"
          />
        </svg>
      )}
      <details>
        <summary className="text-xs text-muted">View as table</summary>
        <Table task={task} turn={turn} />
      </details>
    </div>
  );
}

function rowsOf(task: Task, turn: TurnView | null, column: number): Row[] {
  const shown = task.shown[0];
  const predicted = turn?.simulation.predictions[0]?.states ?? [];
  return (shown?.t ?? []).map((t, i) => ({
    t,
    observed: shown?.states[i]?.[column] ?? 0,
    predicted: predicted[i]?.[column] ?? null,
  }));
}

/** The finding in a sentence, for those who cannot see the plot. */
export function finding(task: Task, turn: TurnView | null): string {
  if (!turn) return `Observed motion of ${task.title}.`;
  if (turn.parse.rejection) return "Did not parse: there is no prediction.";
  return `${task.title}: ${turn.mismatch}`;
}

function Panel({
  variable,
  rows,
  x,
  top,
}: {
  variable: StateVariable;
  rows: Row[];
  x: Scale;
  top: number;
}) {
  const seen = extent(rows.map((row) => row.observed));
  const margin = 0.15 * (seen[1] - seen[0]);
  const y = scale(seen[0] - margin, seen[1] + margin, top + PANEL, top + 8);
  const clip = (value: number) => Math.min(top + PANEL, Math.max(top + 8, y(value)));
  const known = rows.flatMap((row) =>
    row.predicted === null ? [] : [{ ...row, predicted: row.predicted }],
  );
  const residuals = known.map((row) => row.predicted - row.observed);
  const reach = Math.min(Math.max(...residuals.map(Math.abs), 1e-12), 2 * (seen[1] - seen[0]) || 1);
  const middle = top + PANEL + RESIDUAL / 2 + 6;
  const r = scale(-reach, reach, middle + RESIDUAL / 2 - 4, middle - RESIDUAL / 2 + 4);
  const path = known.map(
    (row, i) => `${i ? "L" : "M"}${x(row.t).toFixed(1)} ${clip(row.predicted).toFixed(1)}`,
  );
  const stopped = known.length > 0 && known.length < rows.length ? known.at(-1) : undefined;
  const stride = Math.max(1, Math.floor(rows.length / 160));
  return (
    <g fontSize="11" fill="var(--muted)">
      <text x={4} y={top + 14} fontSize="12" fill="var(--ink)">
        {symbol(variable.name)}
        {variable.unit ? ` (${variable.unit})` : ""}
      </text>
      {ticks(y.min, y.max, 4).map((value) => (
        <g key={value}>
          <line x1={LEFT} x2={x(x.max)} y1={y(value)} y2={y(value)} stroke="var(--line)" />
          <text x={LEFT - 6} y={y(value) + 4} textAnchor="end">
            {figure(value)}
          </text>
        </g>
      ))}
      {rows
        .filter((_, i) => i % stride === 0)
        .map((row) => (
          <circle
            key={row.t}
            cx={x(row.t)}
            cy={y(row.observed)}
            r={2.2}
            fill="none"
            stroke="var(--observed)"
          />
        ))}
      {path.length > 0 && (
        <path d={path.join("")} fill="none" stroke="var(--trained)" strokeWidth={2} />
      )}
      {stopped && (
        <text x={x(stopped.t) + 4} y={top + 20} fill="var(--danger)">
          × simulation stopped
        </text>
      )}
      {known.length > 0 && (
        <g>
          <line x1={LEFT} x2={x(x.max)} y1={middle} y2={middle} stroke="var(--line)" />
          <text x={LEFT - 6} y={middle + 4} textAnchor="end">
            ±{figure(reach, 2)}
          </text>
          {known.map((row, i) => {
            const value = residuals[i] ?? 0;
            const clipped = Math.abs(value) > reach;
            return (
              <line
                key={row.t}
                x1={x(row.t)}
                x2={x(row.t)}
                y1={middle}
                y2={r(Math.max(-reach, Math.min(reach, value)))}
                stroke="var(--residual)"
                strokeWidth={clipped ? 3 : 1.5}
              />
            );
          })}
        </g>
      )}
    </g>
  );
}

function TimeAxis({ x, y, unit }: { x: Scale; y: number; unit: string | null }) {
  return (
    <g fontSize="11" fill="var(--muted)">
      {ticks(x.min, x.max, 6).map((value) => (
        <g key={value}>
          <line x1={x(value)} x2={x(value)} y1={y} y2={y + 4} stroke="var(--control)" />
          <text x={x(value)} y={y + 16} textAnchor="middle">
            {figure(value)}
          </text>
        </g>
      ))}
      <text x={x(x.max)} y={y + 31} textAnchor="end">
        t{unit ? ` (${unit})` : ""}, residual bars beneath each curve
      </text>
    </g>
  );
}

function Table({ task, turn }: { task: Task; turn: TurnView | null }) {
  const t = task.shown[0]?.t ?? [];
  const stride = Math.max(1, Math.ceil(t.length / MAX_ROWS));
  const columns = task.variables.map((_, i) => rowsOf(task, turn, i));
  return (
    <section className="overflow-x-auto" aria-label="Data as a table">
      <table className="text-xs">
        <thead>
          <tr>
            <th className="px-2 text-right">t</th>
            {task.variables.map((variable) => (
              <th key={variable.name} className="px-2 text-right">
                {symbol(variable.name)}, predicted
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {t.map((time, i) =>
            i % stride ? null : (
              <tr key={time}>
                <td className="px-2 text-right">{figure(time)}</td>
                {columns.map((rows, j) => (
                  <td key={task.variables[j]?.name} className="px-2 text-right">
                    {figure(rows[i]?.observed ?? 0)},{" "}
                    {rows[i]?.predicted == null ? "–" : figure(rows[i]?.predicted ?? 0)}
                  </td>
                ))}
              </tr>
            ),
          )}
        </tbody>
      </table>
    </section>
  );
}
