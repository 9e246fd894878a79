import { useRef } from "react";
import type { Task } from "../episode/types";
import { axisName, figure, symbol } from "./format";
import { stroke } from "./looks";
import { scale, ticks } from "./scale";
import { residualReach, residuals, type Series } from "./series";
import { TickLabel } from "./TickLabel";
import { useWidth } from "./useSize";

const BINS = 21;
const HEIGHT = 150;
const BOTTOM = 32;

interface Props {
  task: Task;
  series: Series[];
  beside: Series[];
  fit: boolean;
  label: string;
}

/** How often each size of residual occurs: a heap around zero is noise, anything else is a missing term. */
export function ResidualHistogram({ task, series, beside, fit, label }: Props) {
  if (!series.some((one) => one.states.length > 0))
    return <p className="text-muted">There is no prediction to compare with the data.</p>;
  return (
    <div
      className="grid gap-4"
      style={{ gridTemplateColumns: "repeat(auto-fit, minmax(min(100%, 260px), 1fr))" }}
    >
      {task.variables.map((variable, column) => (
        <Histogram
          key={variable.name}
          {...{ task, series, column, label }}
          reach={residualReach(task, beside, column, fit)}
        />
      ))}
    </div>
  );
}

/** Counts per bin over [-reach, reach]; what lies beyond is counted in the outermost bins. */
export function binned(values: number[], reach: number, bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    const at = Math.floor(((value + reach) / (2 * reach)) * bins);
    const bin = Math.min(bins - 1, Math.max(0, at));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

interface HistogramProps {
  task: Task;
  series: Series[];
  column: number;
  reach: number;
  label: string;
}

function Histogram({ task, series, column, reach, label }: HistogramProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const variable = task.variables[column];
  const x = scale(-reach, reach, 8, Math.max(9, width - 8));
  const all = series.map((one) => binned(residuals(task, one, column), reach, BINS));
  const most = Math.max(1, ...all.flat());
  const y = scale(0, most, HEIGHT - BOTTOM, 20);
  const bar = (x(reach) - x(-reach)) / BINS;
  const share = (bar - 1) / Math.max(1, series.length);
  return (
    <div ref={box} className="min-w-0">
      {width >= 60 && variable && (
        <svg
          width={width}
          height={HEIGHT}
          role="img"
          aria-label={`Residuals of ${symbol(variable.name)} by size. ${label}`}
        >
          <text x={8} y={14} fontSize="0.75rem" fill="var(--ink)">
            predicted − observed {axisName(variable)}
          </text>
          <line x1={x(0)} x2={x(0)} y1={20} y2={HEIGHT - BOTTOM} stroke="var(--control)" />
          {all.map((counts, k) =>
            counts.map((count, bin) => (
              <rect
                key={`${k} ${bin}`}
                x={x(-reach) + bin * bar + k * share}
                width={Math.max(1, share)}
                y={y(count)}
                height={HEIGHT - BOTTOM - y(count)}
                fill={series.length > 1 && series[k] ? stroke(series[k]) : "var(--residual)"}
              />
            )),
          )}
          <g fontSize="0.6875rem" fill="var(--muted)">
            {ticks(-reach, reach, 4).map((value) => (
              <TickLabel key={value} x={x(value)} y={HEIGHT - BOTTOM + 16} width={width}>
                {figure(value, 2)}
              </TickLabel>
            ))}
          </g>
        </svg>
      )}
    </div>
  );
}
