import { useMemo } from "react";
import { Part } from "../shared/parts";
import { MOST_COMPARED } from "../shared/search";
import {
  Charts,
  type Clock,
  finding,
  type Look,
  lookAt,
  Sample,
  Scene,
  type Series,
  seriesOf,
} from "../viz";
import type { ComparedView, MemberState } from "./Compared";
import { Foot } from "./Foot";
import { lawOf, provenance } from "./provenance";
import { Said, type Shown, shownAt } from "./Said";
import { zoomed } from "./view";

interface Props extends ComparedView {
  members: MemberState[];
  /** The turn that is looked at, 0 before the first. */
  current: number;
  clock: Clock;
}

interface Layer extends Shown {
  place: number;
  look: Look;
}

/** The predictions of all members on one task, in one chart; each keeps its look while others are left out. */
export default function Overlaid({ members, current, clock, view, onView }: Props) {
  const started = members[0]?.episode.started?.payload;
  const all = useMemo(() => layersOf(members, current), [members, current]);
  const left = view.without;
  const drawn = useMemo(() => all.filter(({ place }) => !left?.includes(place)), [all, left]);
  const series = useMemo(
    () =>
      drawn.flatMap(({ turn, member, place }): Series[] => {
        const one = turn && seriesOf(turn, member.label, place);
        return one ? [one] : [];
      }),
    [drawn],
  );
  if (!started) return null;
  const { task } = started;
  const wide = view.zoom === "out";
  const elsewhere = Math.min(members.length, MOST_COMPARED) - all.length;
  const toggle = (place: number) => {
    const without = all
      .map((one) => one.place)
      .filter((one) => (left?.includes(one) ?? false) !== (one === place));
    onView({ ...view, without: without.length > 0 ? without : undefined });
  };
  return (
    <section className="panel grid gap-4" aria-label="Overlaid">
      {elsewhere > 0 && (
        <p className="notice">{elsewhere} on another task cannot be drawn over these.</p>
      )}
      <Part name="The chart">
        <Charts
          task={task}
          series={series}
          clock={clock}
          chart={view.chart ?? "time"}
          onChart={(chart) => onView({ ...view, chart })}
          wide={wide}
          onWide={(next) => onView(zoomed(view, next))}
          label={drawn
            .map(({ member, turn }) => `${member.label}: ${finding(task, turn)}`)
            .join(" ")}
          caption={{
            title: task.title,
            lines: drawn.flatMap(({ member, turn }) =>
              turn
                ? [
                    `${member.label}, turn ${turn.turn}: ${lawOf(turn)}`,
                    provenance(member.episode, turn).join(", "),
                  ]
                : [],
            ),
          }}
          legend={<Members all={all} drawn={drawn} onToggle={toggle} />}
        />
      </Part>
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]">
        <Part name="The scene">
          <Scene task={task} series={series} clock={clock} wide={wide} />
        </Part>
        <div className="grid content-start gap-4 md:grid-cols-2">
          {drawn.map(({ member, turn, look }) => (
            <div key={member.id} className="grid min-w-0 content-start gap-2">
              <Said member={member} turn={turn} look={look} brief={all.length > 2} />
              <Foot member={member} turn={turn} />
            </div>
          ))}
        </div>
      </div>
    </section>
  );
}

/** Those on the task of the first, with their turn and their place among all. */
function layersOf(members: readonly MemberState[], current: number): Layer[] {
  const task = members[0]?.episode.started?.payload.task.task_id;
  return members.slice(0, MOST_COMPARED).flatMap((member, place) => {
    const same = member.episode.started?.payload.task.task_id === task;
    return same ? [{ ...shownAt(member, current), place, look: lookAt(place) }] : [];
  });
}

interface MembersProps {
  all: Layer[];
  drawn: Layer[];
  onToggle: (place: number) => void;
}

/** Which curve is whose; each can be left out. */
function Members({ all, drawn, onToggle }: MembersProps) {
  return (
    <fieldset className="flex flex-wrap gap-x-4 text-xs" aria-label="Drawn">
      <span data-written="○ observed" className="flex min-h-6 items-center">
        ○ observed
      </span>
      {all.map(({ member, place, look }) => (
        <label key={member.id} className="flex min-h-6 items-center gap-1">
          <input
            type="checkbox"
            checked={drawn.some((one) => one.place === place)}
            onChange={() => onToggle(place)}
          />
          <Sample look={look} />
          <span data-written={member.label}>{member.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
