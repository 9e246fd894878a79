import { lazy, type ReactNode, Suspense, useMemo, useState } from "react";
import { api } from "../api/client";
import type { Following } from "../episode/useEpisode";
import { useKeys } from "../shared/keys";
import { useMedia } from "../shared/media";
import { Loading, Part, StatusPill } from "../shared/parts";
import { type CompareSearch, MOST_COMPARED } from "../shared/search";
import { useTitle } from "../shared/title";
import { nameOf } from "../shared/words";
import {
  Charts,
  finding,
  lookAt,
  RewardBar,
  Scene,
  type Series,
  Sound,
  seriesOf,
  Transport,
  TurnTimeline,
} from "../viz";
import { DriveControls, Returned } from "./DriveControls";
import { Foot } from "./Foot";
import { lawOf } from "./provenance";
import { Said, type Shown, shownAt } from "./Said";
import { Standings } from "./Standings";
import { Spoken } from "./Verdict";
import { atPace, atTurn, useEpisodeKeys, usePace, useTaskClock, zoomed } from "./view";

const Overlaid = lazy(() => import("./Overlaid"));
const Multiples = lazy(() => import("./Multiples"));

export interface ComparedView {
  view: CompareSearch;
  onView: (view: CompareSearch) => void;
}

export interface MemberState extends Following {
  id: string;
  label: string;
  /** Against the true law; absent: the server is asked once the episode has ended. */
  recovered?: "exact" | "recovered" | "different" | null;
}

interface ComparedProps extends ComparedView {
  members: Omit<MemberState, "label">[];
  /** Of a comparison that the server drives: it can be paused and stopped as one. */
  comparisonId?: string;
  children?: ReactNode;
}

/** Episodes beside each other under one clock and one turn: live, recorded or from a file. */
export function Compared({ members, comparisonId, view, onView, children }: ComparedProps) {
  const known = labelled(members.filter((member) => member.episode.started !== null));
  const chosen = known.slice(0, 2);
  const [left, right] = [
    known[view.panes?.[0] ?? 0] ?? chosen[0],
    known[view.panes?.[1] ?? 1] ?? chosen[1],
  ];
  const task = left?.episode.started?.payload.task;
  const taskOf = (member: MemberState) => member.episode.started?.payload.task.task_id;
  const sameTask = right === undefined || taskOf(right) === task?.task_id;
  const together = known.slice(1).some((one) => known[0] && taskOf(one) === taskOf(known[0]));
  const narrow = useMedia("(max-width: 1023px)");
  const many = known.length > 2;
  const usual = many ? "all" : narrow ? "overlay" : "split";
  const asked = view.layout === "all" && !many ? usual : (view.layout ?? usual);
  const layout = asked === "overlay" && !together ? (many ? "all" : "split") : asked;
  const [pane, setPane] = useState(0);
  const clock = useTaskClock(task?.shown[0]?.t ?? [], view, onView);
  const newest = Math.max(0, ...known.map((member) => member.episode.turns.length));
  const live = known.some((member) => member.episode.outcome === null);
  const paced = usePace(clock, newest, view.pace === "slow");
  const current = view.turn ?? paced;
  const wide = view.zoom === "out";
  const playing = known.filter((member) => member.episode.outcome === null);
  const states = playing.map((member) => member.driven);
  const driven = states.includes(true) ? true : states.includes(null) ? null : false;
  const driveAll = (action: "run" | "pause" | "abandon") =>
    api.driveAll(comparisonId ?? "", action);
  useTitle(task ? `${task.title}: ${known.map((one) => one.label).join(" and ")}` : "Compare");
  useEpisodeKeys(clock, newest, current, view, onView);
  const apart = many ? "all" : "split";
  useKeys({ o: () => onView({ ...view, layout: layout === "overlay" ? apart : "overlay" }) });
  const shown = useMemo(
    () => [left, right].map((member): Shown | null => (member ? shownAt(member, current) : null)),
    [left, right, current],
  );
  const series = useMemo(
    () =>
      shown.map((one, i): Series | null =>
        one?.turn ? seriesOf(one.turn, one.member.label, i) : null,
      ),
    [shown],
  );
  const all = useMemo(() => series.filter((one) => one !== null), [series]);
  const single = useMemo(() => series.map((one) => (one ? [one] : [])), [series]);
  if (!left || !task)
    return (
      <div className="grid gap-4">
        {children}
        <p>Waiting for the first episode to begin</p>
      </div>
    );
  const config = left.episode.started?.payload.config;
  return (
    <div className="grid gap-4">
      {children}
      {known.map((member) => (
        <Spoken key={member.id} episode={member.episode} />
      ))}
      {comparisonId !== undefined && playing.length > 0 && (
        <Returned driven={driven} who="policies" onDrive={driveAll} />
      )}
      <div className="controls flex flex-wrap items-center gap-x-3 gap-y-2">
        <h2>{task.title}</h2>
        <StatusPill
          status={
            known.find((one) => one.connection.status === "Live")?.connection.status ??
            known.find((one) => one.connection.status !== "Complete")?.connection.status ??
            "Complete"
          }
        />
        {comparisonId !== undefined && playing.length > 0 && (
          <div className="ml-auto">
            <DriveControls driven={driven} who="policies" onDrive={driveAll} />
          </div>
        )}
      </div>
      <p className="text-muted">{task.hint}</p>
      {new Set(known.map(taskOf)).size > 1 && (
        <p className="notice">
          These episodes are about different tasks, so they cannot{together && " all"} be overlaid.
        </p>
      )}
      <Standings members={known} />
      <TurnTimeline
        rows={known.map((member) => ({
          label: member.label,
          turns: member.episode.turns.slice(0, Math.max(paced, view.turn ?? 0)),
          finished: member.episode.outcome !== null,
        }))}
        maxTurns={config?.max_turns ?? 8}
        current={newest ? current : null}
        live={live}
        newest={newest}
        following={view.turn === undefined}
        slow={view.pace === "slow"}
        onSlow={(slow) => onView(atPace(view, slow))}
        onSelect={(turn) => onView(atTurn(view, turn))}
        onFollow={() => onView(atTurn(view, undefined))}
      />
      <div className="flex flex-wrap items-center gap-2">
        {right && (together || many) && (
          <fieldset className="flex" aria-label="Layout">
            {LAYOUTS.filter(({ of }) => of === "split" || (of === "all" ? many : together)).map(
              ({ of, name }) => (
                <button
                  key={of}
                  type="button"
                  className="tab"
                  aria-pressed={layout === of}
                  onClick={() => onView({ ...view, layout: of })}
                >
                  {of === "all" ? `${name} ${Math.min(known.length, MOST_COMPARED)}` : name}
                </button>
              ),
            )}
          </fieldset>
        )}
        {many &&
          layout === "split" &&
          [0, 1].map((side) => (
            <label key={side} className="flex items-center gap-2 text-xs text-muted">
              {side === 0 ? "First" : "Second"}
              <select
                className="field"
                value={view.panes?.[side] ?? side}
                onChange={(e) => {
                  const panes: [number, number] = [view.panes?.[0] ?? 0, view.panes?.[1] ?? 1];
                  panes[side] = Number(e.target.value);
                  onView({ ...view, panes });
                }}
              >
                {known.map((member, i) => (
                  <option key={member.id} value={i}>
                    {member.label}
                  </option>
                ))}
              </select>
            </label>
          ))}
        {narrow && layout === "split" && right && (
          <fieldset className="flex" aria-label="Pane">
            {shown.map((one, i) => (
              <button
                key={one?.member.id ?? i}
                type="button"
                className="tab"
                aria-pressed={pane === i}
                onClick={() => setPane(i)}
              >
                {one ? one.member.label : "–"}
              </button>
            ))}
          </fieldset>
        )}
      </div>
      <Transport clock={clock} unit={task.time_unit}>
        <Sound task={task} series={all} clock={clock} />
      </Transport>
      {layout !== "split" && known.length > MOST_COMPARED && (
        <p className="notice">
          {known.length} are compared; the first {MOST_COMPARED} are drawn, the standings have all.
        </p>
      )}
      {layout === "all" && (
        <Suspense fallback={<Loading what="the panes" height={480} />}>
          <Multiples members={known} {...{ current, clock, view, onView }} />
        </Suspense>
      )}
      {layout === "overlay" && (
        <Suspense fallback={<Loading what="the chart" height={480} />}>
          <Overlaid members={known} {...{ current, clock, view, onView }} />
        </Suspense>
      )}
      {layout === "split" && (
        <div className="grid gap-4 lg:grid-cols-2">
          {shown.map(
            (one, i) =>
              one &&
              (!narrow || pane === i) && (
                <section
                  key={one.member.id}
                  className="panel row-span-5 grid grid-rows-subgrid gap-4"
                  aria-label={`Episode of ${one.member.episode.started?.payload.policy}, ${i === 0 ? "first" : "second"}`}
                >
                  <div style={{ minHeight: "16rem" }}>
                    <Said {...one} look={lookAt(i)} />
                  </div>
                  <Part name="The scene">
                    <Scene
                      task={one.member.episode.started?.payload.task ?? task}
                      series={single[i] ?? []}
                      clock={clock}
                      wide={wide}
                    />
                  </Part>
                  <Part name="The chart">
                    <Charts
                      task={one.member.episode.started?.payload.task ?? task}
                      series={single[i] ?? []}
                      beside={sameTask ? all : (single[i] ?? [])}
                      clock={clock}
                      chart={view.chart ?? "time"}
                      onChart={(chart) => onView({ ...view, chart })}
                      wide={wide}
                      onWide={(next) => onView(zoomed(view, next))}
                      label={finding(task, one.turn)}
                      caption={{ title: task.title, lines: lawLine(one) }}
                    />
                  </Part>
                  <div className="min-w-0">
                    {one.turn && config && (
                      <Part name="The reward">
                        <RewardBar turn={one.turn} config={config} />
                      </Part>
                    )}
                  </div>
                  <Foot {...one} />
                </section>
              ),
          )}
        </div>
      )}
      <p className="text-xs text-muted">One task is an example, not evidence.</p>
    </div>
  );
}

const LAYOUTS = [
  { of: "all", name: "All" },
  { of: "split", name: "Side by side" },
  { of: "overlay", name: "Overlaid" },
] as const;

/** Who says what at the shown turn, for a saved picture. */
const lawLine = (one: Shown | null): string[] =>
  one?.turn ? [`${one.member.label}, turn ${one.turn.turn}: ${lawOf(one.turn)}`] : [];

/** Under which name each member is shown; two by the same policy are told apart by number. */
function labelled(members: Omit<MemberState, "label">[]): MemberState[] {
  const names = members.map((member, i) => {
    const policy = member.episode.started?.payload.policy;
    return policy === undefined ? `Episode ${i + 1}` : nameOf(policy);
  });
  return members.map((member, i) => {
    const name = names[i] ?? "";
    const before = names.slice(0, i).filter((other) => other === name).length;
    return { ...member, label: before > 0 ? `${name} ${before + 1}` : name };
  });
}
