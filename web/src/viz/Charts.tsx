import { type ReactNode, type RefObject, useMemo, useRef, useState } from "react";
import type { Task, TurnView } from "../episode/types";
import type { Clock } from "./clock";
import { figure, symbol } from "./format";
import { PhasePortrait } from "./PhasePortrait";
import { type Caption, pictureOf, save, toPng } from "./picture";
import { ResidualHistogram } from "./ResidualHistogram";
import { Sample } from "./Sample";
import { outside, type Series } from "./series";
import { TrajectoryPlot } from "./TrajectoryPlot";

export type Chart = "time" | "phase" | "histogram";

const MAX_ROWS = 50;
const KINDS: { chart: Chart; label: string }[] = [
  { chart: "time", label: "Against time" },
  { chart: "phase", label: "Phase portrait" },
  { chart: "histogram", label: "Residuals" },
];

interface Props {
  task: Task;
  series: Series[];
  /** All predictions that are on the page, if others stand beside this one. */
  beside?: Series[];
  clock: Clock;
  chart: Chart;
  onChart: (chart: Chart) => void;
  /** The finding in a sentence, for those who cannot see the plot. */
  label: string;
  /** What a saved picture says of itself. */
  caption: Caption;
  /** Whether everything is drawn so far out that the predictions fit in. */
  wide: boolean;
  onWide: (wide: boolean) => void;
  /** What stands for the list of names, within the picture that is saved. */
  legend?: ReactNode;
}

/** One motion in three views: against time, in phase space, and its residuals by size. */
export function Charts(props: Props) {
  const { task, series, beside = series, clock, chart, onChart, label, caption } = props;
  const { wide, onWide, legend } = props;
  const [fit, setFit] = useState(false);
  const drawn = useRef<HTMLDivElement>(null);
  const { out, of } = useMemo(() => outside(task, beside), [task, beside]);
  return (
    <div className="grid gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <ChartKinds chart={chart} onChart={onChart} />
        {!legend && <Legend series={series} />}
        {task.shown.length > 1 && (
          <span className="text-xs text-muted">motion 1 of {task.shown.length}</span>
        )}
        <Outside {...{ out, of, wide, onWide }} />
      </div>
      <div ref={drawn} className="grid min-w-0 gap-2">
        {legend}
        <Drawn {...{ task, series, beside, clock, chart, fit, wide, label }} />
      </div>
      <div className="flex flex-wrap items-start justify-between gap-2">
        <details className="min-w-0 grow">
          <summary className="text-xs text-muted">View as table</summary>
          <Table task={task} series={series} />
        </details>
        {chart !== "phase" && (
          <label className="flex min-h-6 items-center gap-2 text-xs text-muted">
            <input type="checkbox" checked={fit} onChange={(e) => setFit(e.target.checked)} />
            Fit residuals
          </label>
        )}
        <SavePicture drawn={drawn} caption={caption} name={`${task.system_id}-${chart}`} />
      </div>
    </div>
  );
}

/** Which of the three views is drawn. */
export function ChartKinds({ chart, onChart }: Pick<Props, "chart" | "onChart">) {
  return (
    <fieldset className="flex flex-wrap" aria-label="Chart">
      {KINDS.map((kind) => (
        <button
          key={kind.chart}
          type="button"
          className="tab"
          aria-pressed={chart === kind.chart}
          onClick={() => onChart(kind.chart)}
        >
          {kind.label}
        </button>
      ))}
    </fieldset>
  );
}

interface OutsideProps extends Pick<Props, "wide" | "onWide"> {
  out: number;
  of: number;
}

/** How many predicted rows the frame of the data leaves out, and the way to see them. */
export function Outside({ out, of, wide, onWide }: OutsideProps) {
  return (
    <p className="ml-auto flex min-h-6 flex-wrap items-center gap-2 text-xs text-muted">
      {out > 0 && (
        <>
          <span>
            {out} of {of} predicted rows {wide ? "would lie outside" : "lie outside"}
          </span>
          <button type="button" className="chip" aria-pressed={wide} onClick={() => onWide(!wide)}>
            {wide ? "Back to the data" : "Zoom out to the prediction"}
          </button>
        </>
      )}
    </p>
  );
}

interface DrawnProps extends Pick<Props, "task" | "series" | "clock" | "chart" | "label" | "wide"> {
  beside: Series[];
  fit: boolean;
}

/** The view itself, without its controls. */
export function Drawn(props: DrawnProps) {
  const { task, series, beside, clock, chart, fit, wide, label } = props;
  if (chart === "phase") return <PhasePortrait {...{ task, series, beside, clock, wide, label }} />;
  if (chart === "histogram") return <ResidualHistogram {...{ task, series, beside, fit, label }} />;
  return <TrajectoryPlot {...{ task, series, beside, clock, fit, wide, label }} />;
}

interface SaveProps {
  drawn: RefObject<HTMLDivElement | null>;
  caption: Caption;
  name: string;
}

/** Saves what is drawn within an element as a picture. */
export function SavePicture({ drawn, caption, name }: SaveProps) {
  const [failed, setFailed] = useState(false);
  const keep = async (suffix: "svg" | "png") => {
    if (!drawn.current) return;
    const picture = pictureOf(drawn.current, caption);
    try {
      const vector = new Blob([picture.svg], { type: "image/svg+xml" });
      save(`${name}.${suffix}`, suffix === "svg" ? vector : await toPng(picture));
      setFailed(false);
    } catch {
      setFailed(true);
    }
  };
  return (
    <div className="flex flex-wrap items-center gap-2">
      {failed && <span className="text-xs text-danger">The browser could not draw the PNG.</span>}
      {(["svg", "png"] as const).map((suffix) => (
        <button key={suffix} type="button" className="chip" onClick={() => keep(suffix)}>
          Save as {suffix.toUpperCase()}
        </button>
      ))}
    </div>
  );
}

function Legend({ series }: { series: Series[] }) {
  return (
    <ul className="flex flex-wrap gap-4 text-xs text-muted">
      <li>○ observed</li>
      {series.map((one) => (
        <li key={one.label} className="flex items-center gap-1">
          <Sample look={one} />
          {one.label}
        </li>
      ))}
    </ul>
  );
}

/** What the charts show of one turn, in a sentence. */
export function finding(task: Task, turn: TurnView | null): string {
  if (!turn) return `Observed motion of ${task.title}.`;
  if (turn.parse.rejection) return "Did not parse: there is no prediction.";
  return `${task.title}: ${turn.mismatch}`;
}

function Table({ task, series }: { task: Task; series: Series[] }) {
  const shown = task.shown[0];
  const t = shown?.t ?? [];
  const stride = Math.max(1, Math.ceil(t.length / MAX_ROWS));
  return (
    <section className="overflow-x-auto" aria-label="Data as a table" tabIndex={0}>
      <table className="text-xs">
        <thead>
          <tr>
            <th scope="col" className="px-2 text-right">
              t
            </th>
            {task.variables.flatMap((variable) => [
              <th key={variable.name} scope="col" className="px-2 text-right">
                {symbol(variable.name)}
              </th>,
              ...series.map((one) => (
                <th key={`${variable.name} ${one.label}`} scope="col" className="px-2 text-right">
                  {one.label}
                </th>
              )),
            ])}
          </tr>
        </thead>
        <tbody>
          {t.map((time, i) =>
            i % stride ? null : (
              <tr key={time}>
                <td className="px-2 text-right">{figure(time)}</td>
                {task.variables.flatMap((variable, column) => [
                  <td key={variable.name} className="px-2 text-right">
                    {figure(shown?.states[i]?.[column] ?? 0)}
                  </td>,
                  ...series.map((one) => (
                    <td key={`${variable.name} ${one.label}`} className="px-2 text-right">
                      {one.states[i] ? figure(one.states[i]?.[column] ?? 0) : "–"}
                    </td>
                  )),
                ])}
              </tr>
            ),
          )}
        </tbody>
      </table>
    </section>
  );
}
