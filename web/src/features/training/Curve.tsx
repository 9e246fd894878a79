import { type MouseEvent, useMemo, useRef } from "react";
import { figure } from "../../viz/format";
import { lookAt, stroke } from "../../viz/looks";
import { extent, scale, ticks } from "../../viz/scale";
import { useTextScale, useWidth } from "../../viz/useSize";
import { type Curves, hackingBands, measuredOn, nearestValue, smoothed, titleOf } from "./curves";
import { labels, spread } from "./names";

const SIZE = { height: 130, left: 64, right: 90, bottom: 22, top: 24, line: 12 };

/** Which runs all charts show, and the step that is pointed at in all of them. */
export interface Looked {
  loaded: Curves[];
  smooth: number;
  step: number | null;
  onPoint: (step: number | null) => void;
  onKeep: (step: number) => void;
}

interface Props extends Looked {
  name: string;
}

/** All grows with the reader's text. */
const scaled = (text: number): typeof SIZE => ({
  height: SIZE.height * text,
  left: SIZE.left * text,
  right: SIZE.right * text,
  bottom: SIZE.bottom * text,
  top: SIZE.top * text,
  line: SIZE.line * text,
});

/** One quantity of all chosen runs over their steps. */
export function Curve({ name, loaded, smooth, step, onPoint, onKeep }: Props) {
  const box = useRef<HTMLElement>(null);
  const width = useWidth(box);
  const text = useTextScale();
  const { height, left, right, bottom, top, line } = scaled(text);
  const now = measuredOn(name) !== "training";
  const curves = useMemo(
    () =>
      loaded.flatMap((run, k) => {
        const raw = run.series[name];
        // Between two evaluations nothing was measured, and a mean with those before would be of other models.
        return raw ? [{ run, k, raw, even: now ? raw : smoothed(raw, smooth) }] : [];
      }),
    [loaded, name, smooth, now],
  );
  const steps = extent(curves.flatMap(({ run }) => run.steps));
  const range = extent(
    curves
      .flatMap(({ run, raw }) => [raw, run.low?.[name] ?? [], run.high?.[name] ?? []])
      .flatMap((values) => values.filter((value) => value !== null)),
  );
  const x = scale(...steps, left, Math.max(left + 1, width - right));
  const y = scale(...range, height - bottom, top);
  const stepAt = ({ clientX, currentTarget }: MouseEvent<SVGSVGElement>) => {
    const share =
      (clientX - currentTarget.getBoundingClientRect().left - left) / (width - left - right);
    return Math.round(steps[0] + Math.min(1, Math.max(0, share)) * (steps[1] - steps[0]));
  };
  const names = labels(loaded.map(({ run }) => run.id));
  const places = spread(
    curves.map(({ even }) => y([...even].reverse().find((value) => value !== null) ?? 0) + 4),
    top,
    height - bottom,
    line,
  );
  const path = (run: Curves, values: (number | null)[]) =>
    values
      .flatMap((value, i) =>
        value === null ? [] : [`${x(run.steps[i] ?? 0).toFixed(1)} ${y(value).toFixed(1)}`],
      )
      .map((at, i) => `${i ? "L" : "M"}${at}`)
      .join("");
  const bandOf = (run: Curves, low: (number | null)[], high: (number | null)[]) => {
    const there = run.steps.map((_, i) => i).filter((i) => low[i] != null && high[i] != null);
    const place = (values: (number | null)[]) => (i: number) =>
      `${x(run.steps[i] ?? 0).toFixed(1)} ${y(values[i] ?? 0).toFixed(1)}`;
    const [over, under] = [there.map(place(high)), there.reverse().map(place(low))];
    return over.length > 0 ? `M${[...over, ...under].join("L")}Z` : "";
  };
  return (
    <figure ref={box} className="min-w-0">
      {width >= 60 && (
        <svg
          width={width}
          height={height}
          role="img"
          aria-label={describe(name, curves)}
          onPointerMove={(event) => onPoint(stepAt(event))}
          onPointerLeave={() => onPoint(null)}
          onPointerUp={(event) => onKeep(stepAt(event))}
        >
          <text x={4} y={line + 2} fontSize="0.75rem" fill="var(--ink)">
            {titleOf(name)}
          </text>
          {curves.map(({ run, k }) =>
            hackingBands(run.steps, run.series, name).map(([from, to]) => (
              <rect
                key={`${k} ${from}`}
                x={x(from)}
                width={Math.max(2, x(to) - x(from))}
                y={top}
                height={height - bottom - top}
                fill="color-mix(in srgb, var(--warn) 25%, transparent)"
              >
                <title>rises while match falls</title>
              </rect>
            )),
          )}
          <g fontSize="0.6875rem" fill="var(--muted)">
            {ticks(y.min, y.max, 3).map((value) => (
              <g key={value}>
                <line x1={left} x2={x(x.max)} y1={y(value)} y2={y(value)} stroke="var(--line)" />
                <text x={left - 6} y={y(value) + 4} textAnchor="end">
                  {figure(value, 2)}
                </text>
              </g>
            ))}
            {ticks(x.min, x.max, 5).map((value) => (
              <text key={value} x={x(value)} y={height - 6} textAnchor="middle">
                {figure(value)}
              </text>
            ))}
            <text x={x(x.max) + 4} y={height - 6}>
              step
            </text>
          </g>
          {curves.map(({ run, k, raw, even }, i) => (
            <g key={run.run.id} fill="none" stroke={stroke(lookAt(k))}>
              {run.low?.[name] && run.high?.[name] ? (
                <path
                  d={bandOf(run, run.low[name], run.high[name])}
                  fill={`color-mix(in srgb, ${stroke(lookAt(k))} 18%, transparent)`}
                  stroke="none"
                />
              ) : (
                <path d={path(run, raw)} opacity={0.25} />
              )}
              <path d={path(run, even)} strokeWidth={2} strokeDasharray={lookAt(k).dash} />
              {now &&
                raw.map((value, at) =>
                  value === null ? null : (
                    <circle
                      key={run.steps[at]}
                      cx={x(run.steps[at] ?? 0)}
                      cy={y(value)}
                      r={2.5}
                      fill={stroke(lookAt(k))}
                    />
                  ),
                )}
              <text
                x={x(x.max) + 4}
                y={places[i]}
                fontSize="0.6875rem"
                stroke="none"
                fill={stroke(lookAt(k))}
              >
                {names[k]}
              </text>
            </g>
          ))}
          {step !== null && step >= steps[0] && step <= steps[1] && (
            <g>
              <line
                x1={x(step)}
                x2={x(step)}
                y1={top - 4}
                y2={height - bottom}
                stroke="var(--control)"
              />
              {curves.map(({ run, k, even }) => {
                const place = nearestValue(run.steps, even, step);
                const value = place === undefined ? null : even[place];
                const at = place === undefined ? undefined : run.steps[place];
                return value == null ? null : (
                  <text
                    key={run.run.id}
                    x={width - 4}
                    y={line + 2 + line * k}
                    fontSize="0.6875rem"
                    textAnchor="end"
                    fill={stroke(lookAt(k))}
                    stroke="var(--surface)"
                    strokeWidth="3"
                    paintOrder="stroke"
                  >
                    {names[k]} {figure(value)}
                    {now && at !== step && ` at ${at}`}
                  </text>
                );
              })}
            </g>
          )}
        </svg>
      )}
    </figure>
  );
}

function describe(name: string, curves: { run: Curves; raw: (number | null)[] }[]): string {
  const parts = curves.map(({ run, raw }) => {
    const values = raw.filter((value) => value !== null);
    return `${run.run.id} from ${figure(values[0] ?? 0)} to ${figure(values.at(-1) ?? 0)}`;
  });
  return `${titleOf(name)}: ${parts.join("; ")}`;
}
