import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useMemo } from "react";
import { bundled } from "../api/bundle";
import { api } from "../api/client";
import type { TurnView } from "../episode/types";
import { type Following, useEpisode } from "../episode/useEpisode";
import { Failure, NotFound, Part, StatusPill } from "../shared/parts";
import type { EpisodeSearch } from "../shared/search";
import { useTitle } from "../shared/title";
import {
  Charts,
  type Clock,
  EquationView,
  finding,
  lookAt,
  PlayEpisode,
  predicted,
  RewardBar,
  Scene,
  Sound,
  Transport,
  TurnTimeline,
} from "../viz";
import { Completion, Writing } from "./Completion";
import { DriveControls, Returned } from "./DriveControls";
import { lawOf, provenance } from "./provenance";
import { Share } from "./Share";
import { TrueLaw } from "./TrueLaw";
import { Spoken, Verdict } from "./Verdict";
import { atPace, atTurn, useEpisodeKeys, usePace, useTaskClock, zoomed } from "./view";

interface Props {
  id: string;
  view: EpisodeSearch;
  onView: (view: EpisodeSearch) => void;
  drivable?: boolean;
  /** A hypothesis that is being typed, drawn beside the data before a turn is spent on it. */
  preview?: { label: string; states: number[][] } | null;
}

/** Every episode screen: all of a turn at once. Mount with `key={id}`. */
export function EpisodePanel({ id, drivable = false, ...rest }: Props) {
  const following = useEpisode(id);
  const { episode, driven, missing, error, connection } = following;
  const finished = episode.outcome !== null;
  const policy = episode.started?.payload.policy;
  const stored = useQuery({
    queryKey: ["episode", id, finished],
    queryFn: () => api.episode(id),
    enabled: finished && bundled,
    retry: false,
  });
  if (missing && episode.version === 0) return <NotFound what={`Episode ${id}`} />;
  const drive = (action: "run" | "pause" | "abandon") => api.drive(id, action);
  const drives = drivable && policy !== undefined && policy !== "you";
  return (
    <>
      {drives && !finished && <Returned driven={driven} who="policy" onDrive={drive} />}
      {error && connection.status === "Disconnected" && episode.version === 0 && (
        <Failure error={error} again={connection.retry} />
      )}
      <EpisodeBody
        {...following}
        {...rest}
        id={id}
        controls={
          drives &&
          (finished ? (
            <Link
              to="/run"
              search={{ policy, system: episode.started?.payload.task.system_id ?? "" }}
              className="button"
            >
              New run
            </Link>
          ) : (
            <DriveControls
              driven={driven}
              who="policy"
              onDrive={drive}
              onStep={() => api.drive(id, "llm-step")}
            />
          ))
        }
        law={stored.data?.truth?.equation ?? null}
        truth={finished && !bundled}
        forkable={!bundled}
      />
    </>
  );
}

interface BodyProps extends Following, Omit<Props, "drivable"> {
  controls?: ReactNode;
  /** The true law as text, where no server can set it beside the found one. */
  law: string | null;
  /** Whether the server tells the true law. */
  truth?: boolean;
  forkable?: boolean;
}

/** One episode as far as it is known, live or recorded. */
export function EpisodeBody(props: BodyProps) {
  const { id, view, onView, episode, connection, writing, prompt, controls, law } = props;
  const started = episode.started?.payload;
  const clock = useTaskClock(started?.task.shown[0]?.t ?? [], view, onView);
  const newest = usePace(clock, episode.turns.length, view.pace === "slow");
  const shown =
    episode.turns.find((entry) => entry.turn === view.turn) ?? episode.turns[newest - 1] ?? null;
  useEpisodeKeys(clock, episode.turns.length, shown?.turn, view, onView);
  useTitle(started ? `${started.task.title}: ${started.policy}` : `Episode ${id}`);
  const finished = episode.outcome !== null;
  // At the slow pace the end is not told before its turn has been shown.
  const held = finished && view.pace === "slow" && newest < episode.turns.length;
  const told = finished && !held;
  return (
    <section className="panel episode" aria-label={`Episode of ${started?.policy ?? id}`}>
      <Spoken episode={episode} />
      <div className="controls flex flex-wrap items-center gap-x-3 gap-y-2">
        <h2>{started ? `${started.task.title}: ${started.policy}` : `Episode ${id}`}</h2>
        <StatusPill status={connection.status} />
        <div className="ml-auto">{started && controls}</div>
      </div>
      {started && <p className="hint text-muted">{started.task.hint}</p>}
      {started && (
        <TurnTimeline
          rows={[{ label: started.policy, turns: episode.turns.slice(0, newest), finished: told }]}
          maxTurns={started.config.max_turns}
          current={shown?.turn ?? null}
          live={!finished}
          newest={episode.turns.length}
          following={view.turn === undefined}
          slow={view.pace === "slow"}
          onSelect={(turn) => onView(atTurn(view, turn))}
          onFollow={() => onView(atTurn(view, undefined))}
          onSlow={(slow) => onView(atPace(view, slow))}
        />
      )}
      {!started && <div style={{ minHeight: 640 }} aria-busy="true" />}
      {started && (
        <Story
          {...props}
          episode={held ? { ...episode, outcome: null } : episode}
          connection={held ? { ...connection, status: "Live" } : connection}
          clock={clock}
          turn={shown}
        />
      )}
      {writing && <Writing text={writing} />}
      {props.truth && told && shown && (
        <Part name="The true law">
          <TrueLaw id={id} turn={shown.turn} noSentence={shown.parse.rejection !== null} />
        </Part>
      )}
      {law !== null && (
        <details>
          <summary>Show the true law</summary>
          <pre className="overflow-x-auto whitespace-pre-wrap">{law}</pre>
        </details>
      )}
      <Completion id={id} turn={shown} prompt={prompt} />
      {started && (
        <Share
          id={id}
          task={started.task}
          targets={started.targets}
          turn={shown}
          finished={finished}
          forkable={props.forkable ?? false}
        />
      )}
      {started && (
        <p className="text-xs text-muted">
          {started.forked_from && (
            <>
              Forked from{" "}
              <Link
                to="/episodes/$episodeId"
                params={{ episodeId: started.forked_from.episode_id }}
                search={started.forked_from.turn > 0 ? { turn: started.forked_from.turn } : {}}
              >
                turn {started.forked_from.turn} of {started.forked_from.episode_id}
              </Link>
              .{" "}
            </>
          )}
          {provenance(episode, shown).join(", ")}
        </p>
      )}
    </section>
  );
}

interface StoryProps extends BodyProps {
  clock: Clock;
  turn: TurnView | null;
}

/** All of one turn: verdict, law, curve, motion and reward; in this order where there is one column. */
function Story(props: StoryProps) {
  const { episode, view, onView, turn, preview, clock, driven, writing } = props;
  const { status } = props.connection;
  const started = episode.started?.payload;
  const task = started?.task;
  const wide = view.zoom === "out";
  const series = useMemo(
    () => [...predicted(turn), ...(preview ? [{ ...preview, ...lookAt(1) }] : [])],
    [turn, preview],
  );
  if (!started || !task) return null;
  return (
    <div className="story">
      <Verdict {...{ episode, turn, driven, status, writing }} />
      <section className="law" aria-label="Law" tabIndex={0}>
        {turn ? (
          <Part name="The equation">
            <EquationView
              parse={turn.parse}
              source={turn.equation}
              params={{ ...turn.params, ...turn.simulation.fitted }}
              previous={episode.turns.find((entry) => entry.turn === turn.turn - 1) ?? null}
            />
            {turn.rationale && <p className="mt-2 text-muted">{turn.rationale}</p>}
          </Part>
        ) : (
          <p className="text-muted">No law yet.</p>
        )}
      </section>
      <div className="curve min-w-0">
        <Part name="The chart">
          <Charts
            task={task}
            series={series}
            clock={clock}
            chart={view.chart ?? "time"}
            onChart={(chart) => onView({ ...view, chart })}
            wide={wide}
            onWide={(next) => onView(zoomed(view, next))}
            label={finding(task, turn)}
            caption={{
              title: `${task.title}: ${started.policy}${turn ? `, turn ${turn.turn}` : ""}`,
              lines: [turn ? lawOf(turn) : "", provenance(episode, turn).join(", ")],
            }}
          />
        </Part>
      </div>
      <div className="transport">
        <Transport clock={clock} unit={task.time_unit}>
          {episode.outcome !== null && turn && (
            <PlayEpisode
              clock={clock}
              turns={episode.turns.length}
              onTurn={(next) => onView(atTurn(view, next))}
            />
          )}
          <Sound task={task} series={series} clock={clock} />
        </Transport>
      </div>
      <div className="scene min-w-0">
        <Part name="The scene">
          <Scene task={task} series={series} clock={clock} wide={wide} />
        </Part>
      </div>
      <div className="reward min-w-0">
        {turn && (
          <Part name="The reward">
            <RewardBar turn={turn} config={started.config} />
          </Part>
        )}
      </div>
    </div>
  );
}
