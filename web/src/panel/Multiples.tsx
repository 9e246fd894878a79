import { useMemo, useRef, useState } from "react";
import type { Task } from "../episode/types";
import { Part } from "../shared/parts";
import { MOST_COMPARED } from "../shared/search";
import {
  ChartKinds,
  type Clock,
  Drawn,
  finding,
  Outside,
  outside,
  SavePicture,
  type Series,
  seriesOf,
} from "../viz";
import { share } from "../viz/format";
import type { ComparedView, MemberState } from "./Compared";
import { Foot } from "./Foot";
import { lawOf, provenance } from "./provenance";
import { Said, type Shown, shownAt, standsAt } from "./Said";
import { zoomed } from "./view";

interface Props extends ComparedView {
  members: MemberState[];
  /** The turn that is looked at, 0 before the first. */
  current: number;
  clock: Clock;
}

/** A member at its turn, with what it predicts and what is drawn on the same axes. */
interface Pane extends Shown {
  task: Task;
  series: Series[];
  beside: Series[];
}

/** Every member in small: the curves of one task lie on the same axes and under one clock. */
export default function Multiples({ members, current, clock, view, onView }: Props) {
  const grid = useRef<HTMLDivElement>(null);
  const [fit, setFit] = useState(false);
  const panes = useMemo(
    () => panesOf(members.slice(0, MOST_COMPARED), current),
    [members, current],
  );
  const [first] = panes;
  const left = useMemo(
    () =>
      panes
        .map(({ task, series }) => outside(task, series))
        .reduce((sum, one) => ({ out: sum.out + one.out, of: sum.of + one.of }), { out: 0, of: 0 }),
    [panes],
  );
  if (!first) return null;
  const several = new Set(panes.map(({ task }) => task.task_id)).size > 1;
  const chart = view.chart ?? "time";
  const wide = view.zoom === "out";
  const columns = panes.length === 4 ? "md:grid-cols-2" : "md:grid-cols-2 lg:grid-cols-3";
  return (
    <section className="grid gap-3" aria-label="All, side by side">
      <div className="flex flex-wrap items-center gap-2">
        <ChartKinds chart={chart} onChart={(next) => onView({ ...view, chart: next })} />
        <span className="text-xs text-muted">
          ○ observed, ● predicted;{" "}
          {several ? "each task on axes of its own" : "all on the same axes"}
        </span>
        <Outside {...left} wide={wide} onWide={(next) => onView(zoomed(view, next))} />
      </div>
      <div ref={grid} className={`grid gap-4 ${columns}`}>
        {panes.map((pane) => (
          <section
            key={pane.member.id}
            className="panel row-span-3 grid min-w-0 grid-rows-subgrid gap-2"
            aria-label={`Episode of ${pane.member.label}`}
          >
            <div className="min-w-0" data-written={written(pane)}>
              <Said member={pane.member} turn={pane.turn} brief />
            </div>
            <Part name="The chart">
              <Drawn {...pane} {...{ clock, chart, fit, wide }} label={labelOf(pane)} />
            </Part>
            <Foot {...pane} />
          </section>
        ))}
      </div>
      <div className="flex flex-wrap items-center justify-end gap-3">
        {chart !== "phase" && (
          <label className="flex min-h-6 items-center gap-2 text-xs text-muted">
            <input type="checkbox" checked={fit} onChange={(e) => setFit(e.target.checked)} />
            Fit residuals
          </label>
        )}
        <SavePicture
          drawn={grid}
          name={`${first.task.system_id}-compared`}
          caption={{
            title: first.task.title,
            lines: panes.map(
              ({ member, turn }) =>
                `${member.label}: ${provenance(member.episode, turn).join(", ")}`,
            ),
          }}
        />
      </div>
    </section>
  );
}

function panesOf(members: readonly MemberState[], current: number): Pane[] {
  const alone = members.flatMap((member) => {
    const task = member.episode.started?.payload.task;
    if (!task) return [];
    const shown = shownAt(member, current);
    const series = shown.turn && seriesOf(shown.turn, member.label);
    return [{ ...shown, task, series: series ? [series] : [] }];
  });
  return alone.map((pane) => ({
    ...pane,
    beside: alone
      .filter((other) => other.task.task_id === pane.task.task_id)
      .flatMap((other) => other.series),
  }));
}

const labelOf = ({ member, task, turn }: Pane) => `${member.label}. ${finding(task, turn)}`;

/** What a saved picture says above a pane's curves. */
function written(pane: Pane): string {
  const { member, turn } = pane;
  if (!turn) return `${member.label}, no turn yet`;
  const carries =
    turn.generalisation === null ? "" : `, generalisation ${share(turn.generalisation)}`;
  return [
    `${member.label}, ${standsAt(pane)}`,
    `match ${share(turn.reward.match)}${carries}`,
    lawOf(turn),
  ].join("\n");
}
