import { useId, useRef } from "react";
import { figure } from "./format";
import { extent, type Scale, scale, ticks } from "./scale";
import { TickLabel } from "./TickLabel";
import { useTextScale, useWidth } from "./useSize";

const LEFT = 76;
const RIGHT = 12;
const TOP = 14;
const BOTTOM = 36;
const ROW = 14; // of the legend
/** Where the frame of a plot stands: margins grow with the reader's text. */
const marginsAt = (text: number) => ({
  left: LEFT * text,
  top: TOP * text,
  bottom: BOTTOM * text,
  row: ROW * text,
});

/** One thing drawn in a plot; told apart by colour, by dash or shape, and by name. */
export interface Layer {
  name: string;
  kind: "line" | "points" | "bars" | "band";
  x: readonly number[];
  y: readonly number[];
  /** The other edge of a band. */
  y2?: readonly number[];
  colour?: string;
  dashed?: boolean;
}

interface Props {
  /** The finding in a sentence, for those who cannot see it. */
  label: string;
  x: string;
  y: string;
  layers: readonly Layer[];
  height?: number;
  /** Drawn under the layers: limits, a line of zero. */
  lines?: readonly { y: number; name: string }[];
  /** A straight line through the plot, y = x. */
  diagonal?: boolean;
  /** Names the layers within the drawing, so that a saved picture says what it shows. */
  legend?: boolean;
}

/** A plot of numbers against numbers: one path a layer, however many there are. */
export function Plot(props: Props) {
  const { label, layers, lines = [], diagonal = false } = props;
  const text = useTextScale();
  const { left, top, bottom, row: rowHeight } = marginsAt(text);
  const height = (props.height ?? 180) + (text - 1) * (TOP + BOTTOM);
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const clip = useId();
  const xs = extent(layers.flatMap((one) => one.x.filter(Number.isFinite)));
  const ys = extent([
    ...layers.flatMap((one) => [...one.y, ...(one.y2 ?? [])].filter(Number.isFinite)),
    ...lines.map((line) => line.y),
    ...(layers.some((one) => one.kind === "bars") ? [0] : []),
  ]);
  const margin = 0.06 * (ys[1] - ys[0]);
  const x = scale(...xs, left, Math.max(left + 1, width - RIGHT));
  const y = scale(ys[0] - margin, ys[1] + margin, height - bottom, top);
  const named = props.legend && layers.length > 1 ? layers : [];
  // Beside the plot's own name where there is room, else in rows above it.
  const beside = text * (lengthOf(named) + 7 * props.y.length) <= width - RIGHT - 12;
  const rows = beside ? [named] : rowsWithin(named, (width - RIGHT) / text);
  const drop = beside ? 0 : rowHeight * rows.length;
  return (
    <div ref={box} className="min-w-0">
      {width >= 60 && (
        <svg width={width} height={height + drop} role="img" aria-label={label}>
          <g transform={`translate(0 ${drop})`}>
            <clipPath id={clip}>
              <rect
                x={left}
                y={top - 4}
                width={Math.max(0, width - left - RIGHT + 4)}
                height={Math.max(0, height - top - bottom + 8)}
              />
            </clipPath>
            <Axes {...{ x, y, width, height, text }} names={[props.x, props.y]} />
            {lines.map((line) => (
              <line
                key={line.name}
                x1={left}
                x2={x(x.max)}
                y1={y(line.y)}
                y2={y(line.y)}
                stroke="var(--control)"
                strokeDasharray="2 3"
              >
                <title>{line.name}</title>
              </line>
            ))}
            {diagonal && (
              <line
                x1={x(Math.max(x.min, y.min))}
                y1={y(Math.max(x.min, y.min))}
                x2={x(Math.min(x.max, y.max))}
                y2={y(Math.min(x.max, y.max))}
                stroke="var(--control)"
                strokeDasharray="2 3"
              />
            )}
            <g clipPath={`url(#${clip})`}>
              {layers.map((layer) => (
                <Drawn key={layer.name} layer={layer} x={x} y={y} />
              ))}
            </g>
          </g>
          {rows.map((row, i) => (
            <Legend
              key={row[0]?.name}
              layers={row}
              right={width - RIGHT}
              top={rowHeight * i}
              text={text}
            />
          ))}
        </svg>
      )}
    </div>
  );
}

function Drawn({ layer, x, y }: { layer: Layer; x: Scale; y: Scale }) {
  const colour = layer.colour ?? "var(--trained)";
  const d = pathOf(layer, x, y);
  if (layer.kind === "band")
    return <path d={d} fill={`color-mix(in srgb, ${colour} 18%, transparent)`} stroke="none" />;
  if (layer.kind === "points")
    return <path d={d} stroke={colour} strokeWidth={3.2} strokeLinecap="round" fill="none" />;
  return (
    <path
      d={d}
      fill="none"
      stroke={colour}
      strokeWidth={layer.kind === "bars" ? 1.5 : 2}
      strokeDasharray={layer.dashed ? "7 4" : undefined}
    />
  );
}

const at = (x: number, y: number) => `${x.toFixed(1)} ${y.toFixed(1)}`;

/** The path of a layer; of more samples than pixels, the lowest and highest of each pixel. */
function pathOf(layer: Layer, x: Scale, y: Scale): string {
  const places = layer.x.flatMap((value, i): [number, number, number][] => {
    const other = layer.y[i];
    return other === undefined || !Number.isFinite(value) || !Number.isFinite(other)
      ? []
      : [[x(value), y(other), i]];
  });
  if (layer.kind === "points")
    return thinned(places)
      .map(([a, b]) => `M${at(a, b)}h0`)
      .join("");
  if (layer.kind === "bars") {
    const ground = y(Math.min(y.max, Math.max(y.min, 0)));
    return thinned(places)
      .map(([a, b]) => `M${at(a, ground)}V${b.toFixed(1)}`)
      .join("");
  }
  const line = thinned(places)
    .map(([a, b], i) => `${i ? "L" : "M"}${at(a, b)}`)
    .join("");
  if (layer.kind === "line") return line;
  const back = places
    .flatMap(([a, , i]): string[] => {
      const edge = layer.y2?.[i];
      return edge === undefined || !Number.isFinite(edge) ? [] : [`L${at(a, y(edge))}`];
    })
    .reverse()
    .join("");
  return places.length > 0 ? `${line}${back}Z` : "";
}

const MANY = 1500;

function thinned(places: [number, number, number][]): [number, number, number][] {
  if (places.length <= MANY) return places;
  const columns = new Map<
    number,
    { low: [number, number, number]; high: [number, number, number] }
  >();
  for (const place of places) {
    const column = Math.round(place[0]);
    const seen = columns.get(column);
    if (!seen) columns.set(column, { low: place, high: place });
    else {
      if (place[1] < seen.low[1]) seen.low = place;
      if (place[1] > seen.high[1]) seen.high = place;
    }
  }
  return [...columns.values()].flatMap(({ low, high }) =>
    low === high ? [low] : low[2] < high[2] ? [low, high] : [high, low],
  );
}

/** How long the names of some layers are side by side, each with a sample before it. */
const lengthOf = (layers: readonly Layer[]) =>
  layers.reduce((sum, { name }) => sum + 36 + 6.4 * name.length, 0);

/** The layers in rows that are no longer than `most`, in their order; one that is longer has a row of its own. */
export function rowsWithin(layers: readonly Layer[], most: number): Layer[][] {
  const rows: Layer[][] = [];
  for (const layer of layers) {
    const row = rows.at(-1);
    if (row && lengthOf([...row, layer]) <= most) row.push(layer);
    else rows.push([layer]);
  }
  return rows;
}

interface LegendProps {
  layers: readonly Layer[];
  right: number;
  top: number;
  text: number;
}

/** The names of the layers in a row that ends at the right, above the frame. */
function Legend({ layers, right, top, text }: LegendProps) {
  return (
    <g fontSize="0.6875rem" fill="var(--muted)" transform={`translate(0 ${top})`}>
      {layers.map((layer, i) => {
        const from = right - text * lengthOf(layers.slice(i));
        const colour = layer.colour ?? "var(--trained)";
        return (
          <g key={layer.name}>
            {layer.kind === "points" ? (
              <circle cx={from + 9} cy={6 * text} r={2.5} fill={colour} />
            ) : (
              <line
                x1={from}
                x2={from + 18}
                y1={6 * text}
                y2={6 * text}
                stroke={colour}
                strokeWidth={layer.kind === "band" ? 8 : 2}
                strokeOpacity={layer.kind === "band" ? 0.3 : 1}
                strokeDasharray={layer.dashed ? "7 4" : undefined}
              />
            )}
            <text x={from + 22} y={10 * text}>
              {layer.name}
            </text>
          </g>
        );
      })}
    </g>
  );
}

interface AxesProps {
  x: Scale;
  y: Scale;
  width: number;
  height: number;
  text: number;
  names: [string, string];
}

function Axes({ x, y, width, height, text, names }: AxesProps) {
  const [left, right] = [x(x.min), x(x.max)];
  const foot = height - marginsAt(text).bottom;
  return (
    <g fontSize="0.6875rem" fill="var(--muted)">
      {ticks(y.min, y.max, height < 140 ? 3 : 4).map((value) => (
        <g key={value}>
          <line x1={left} x2={right} y1={y(value)} y2={y(value)} stroke="var(--line)" />
          <text x={left - 6} y={y(value) + 4} textAnchor="end">
            {figure(value)}
          </text>
        </g>
      ))}
      {ticks(x.min, x.max, right - left < 300 * text ? 3 : 6).map((value) => (
        <g key={value}>
          <line x1={x(value)} x2={x(value)} y1={foot} y2={foot + 4} stroke="var(--control)" />
          <TickLabel x={x(value)} y={foot + 16 * text} width={width}>
            {figure(value)}
          </TickLabel>
        </g>
      ))}
      <text x={right} y={height - 6} textAnchor="end">
        {names[0]}
      </text>
      <text x={4} y={10 * text} fill="var(--ink)" fontSize="0.75rem">
        {names[1]}
      </text>
    </g>
  );
}

/** The names of what a plot draws, with a sample of each. */
export function Key({ layers }: { layers: readonly Layer[] }) {
  return (
    <ul className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted">
      {layers.map((layer) => (
        <li key={layer.name} className="flex items-center gap-1">
          <svg width="22" height="8" aria-hidden="true">
            {layer.kind === "points" ? (
              <circle cx="11" cy="4" r="2.5" fill={layer.colour ?? "var(--trained)"} />
            ) : (
              <line
                x2="22"
                y1="4"
                y2="4"
                stroke={layer.colour ?? "var(--trained)"}
                strokeWidth={layer.kind === "band" ? 8 : 2}
                strokeOpacity={layer.kind === "band" ? 0.3 : 1}
                strokeDasharray={layer.dashed ? "7 4" : undefined}
              />
            )}
          </svg>
          {layer.name}
        </li>
      ))}
    </ul>
  );
}
