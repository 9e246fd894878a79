import { type ReactNode, useMemo, useState } from "react";
import { api } from "../api/client";
import type { TurnView } from "../episode/types";
import type { Following } from "../episode/useEpisode";
import { useKeys } from "../shared/keys";
import { useMedia } from "../shared/media";
import { Part, StatusPill } from "../shared/parts";
import type { CompareSearch } from "../shared/search";
import { useTitle } from "../shared/title";
import { nameOf, OUTCOMES } from "../shared/words";
import {
  Charts,
  EquationView,
  finding,
  RewardBar,
  Scene,
  type Series,
  Sound,
  seriesOf,
  Transport,
  TurnTimeline,
} from "../viz";
import { Writing } from "./Completion";
import { DriveControls, Returned } from "./DriveControls";
import { lawOf } from "./provenance";
import { Standings } from "./Standings";
import { Generalisation, Spoken, said } from "./Verdict";
import { atTurn, useEpisodeKeys, usePace, useTaskClock, zoomed } from "./view";

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
  const sameTask =
    right === undefined || right.episode.started?.payload.task.task_id === task?.task_id;
  const narrow = useMedia("(max-width: 1023px)");
  const overlaid = sameTask && (view.layout ?? (narrow ? "overlay" : "split")) === "overlay";
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
  useKeys({ o: () => onView({ ...view, layout: overlaid ? "split" : "overlay" }) });
  const shown = useMemo(
    () =>
      [left, right].map((member): Shown | null => {
        if (!member) return null;
        const turns = member.episode.turns;
        return { member, turn: current > 0 ? (turns[current - 1] ?? turns.at(-1) ?? null) : null };
      }),
    [left, right, current],
  );
  const series = useMemo(
    () =>
      shown.map((one, i): Series | null =>
        one?.turn ? seriesOf(one.turn, one.member.label, i === 0 ? 0 : 1) : null,
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
      {!sameTask && (
        <p className="notice">
          These episodes are about different tasks, so they cannot be overlaid.
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
        onSlow={(slow) => {
          const { pace: _, turn: __, ...rest } = view;
          onView(slow ? { ...rest, pace: "slow" } : rest);
        }}
        onSelect={(turn) => onView({ ...keep(view), ...atTurn(view, turn) })}
        onFollow={() => onView({ ...keep(view), ...atTurn(view, undefined) })}
      />
      <div className="flex flex-wrap items-center gap-2">
        {sameTask && right && (
          <fieldset className="flex" aria-label="Layout">
            {(["split", "overlay"] as const).map((layout) => (
              <button
                key={layout}
                type="button"
                className="tab"
                aria-pressed={overlaid === (layout === "overlay")}
                onClick={() => onView({ ...view, layout })}
              >
                {layout === "split" ? "Side by side" : "Overlaid"}
              </button>
            ))}
          </fieldset>
        )}
        {known.length > 2 &&
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
        {narrow && !overlaid && right && (
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
      {overlaid && (
        <section className="panel grid gap-4" aria-label="Overlaid">
          <div className="grid gap-4 lg:grid-cols-2">
            <Part name="The scene">
              <Scene task={task} series={all} clock={clock} wide={wide} />
            </Part>
            <div className="grid content-start gap-4">
              {shown.map((one, i) => one && <Said key={one.member.id} {...one} place={i} />)}
            </div>
          </div>
          <Part name="The chart">
            <Charts
              task={task}
              series={all}
              clock={clock}
              chart={view.chart ?? "time"}
              onChart={(chart) => onView({ ...view, chart })}
              wide={wide}
              onWide={(next) => onView(zoomed(view, next))}
              label={shown.map((one) => finding(task, one?.turn ?? null)).join(" ")}
              caption={{ title: task.title, lines: shown.flatMap((one) => lawLine(one)) }}
            />
          </Part>
        </section>
      )}
      {!overlaid && (
        <div className="grid items-start gap-4 lg:grid-cols-2">
          {shown.map(
            (one, i) =>
              one &&
              (!narrow || pane === i) && (
                <section
                  key={one.member.id}
                  className="panel grid gap-4"
                  aria-label={`Episode of ${one.member.episode.started?.payload.policy}, ${i === 0 ? "first" : "second"}`}
                >
                  <div style={{ minHeight: "16rem" }}>
                    <Said {...one} place={i} />
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
                  {one.turn && config && (
                    <Part name="The reward">
                      <RewardBar turn={one.turn} config={config} />
                    </Part>
                  )}
                </section>
              ),
          )}
        </div>
      )}
      <p className="text-xs text-muted">One task is an example, not evidence.</p>
    </div>
  );
}

interface Shown {
  member: MemberState;
  turn: TurnView | null;
}

/** Who says what at the shown turn, for a saved picture. */
const lawLine = (one: Shown | null): string[] =>
  one?.turn ? [`${one.member.label}, turn ${one.turn.turn}: ${lawOf(one.turn)}`] : [];

const keep = (view: CompareSearch): CompareSearch => ({
  ...(view.layout && { layout: view.layout }),
  ...(view.panes && { panes: view.panes }),
});

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

/** What one member says at this turn: its law, or why there is none, and what it is writing. */
function Said({ member, turn, place }: Shown & { place: number }) {
  const { episode, writing } = member;
  const finished = episode.outcome !== null;
  return (
    <div className="grid gap-2">
      <h3 style={{ color: place === 0 ? "var(--trained)" : "var(--untrained)" }}>
        {member.label}
        <span className="text-xs text-muted">
          {" "}
          {turn ? `turn ${turn.turn}` : "no turn yet"}
          {episode.outcome ? `, ${OUTCOMES[episode.outcome]}` : ""}
        </span>
      </h3>
      {turn && (
        <Part name="The equation">
          <EquationView
            parse={turn.parse}
            source={turn.equation}
            params={turn.params}
            previous={episode.turns[turn.turn - 2] ?? null}
            of={member.label}
          />
        </Part>
      )}
      {turn && (
        <p>
          <span className="font-semibold">{said(turn)}</span>{" "}
          {turn.parse.rejection === null && turn.mismatch}
        </p>
      )}
      {turn && <Generalisation turn={turn} carried={episode.started?.payload.carried_to ?? null} />}
      {writing && <Writing text={writing} />}
      {episode.failure && (!finished || episode.outcome === "policy_failed") && (
        <p className="notice">Policy failed: {episode.failure.reason}</p>
      )}
    </div>
  );
}
