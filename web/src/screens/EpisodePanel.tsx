import { useQuery } from "@tanstack/react-query";
import { api } from "../api/client";
import type { EpisodeConfig, Task, TurnView } from "../episode/types";
import { useEpisode } from "../episode/useEpisode";
import {
  EquationView,
  RewardBar,
  Scene,
  TrajectoryPlot,
  Transport,
  TurnTimeline,
  useClock,
} from "../viz";
import { DriveControls } from "./DriveControls";

interface Props {
  id: string;
  turn: number | undefined;
  onTurn: (turn: number | undefined) => void;
  drivable?: boolean;
}

/** The right side of every episode screen. Mount with `key={id}`. */
export function EpisodePanel({ id, turn, onTurn, drivable = false }: Props) {
  const { episode, status, writing } = useEpisode(id);
  const finished = episode.outcome !== null;
  const view = useQuery({
    queryKey: ["episode", id, finished],
    queryFn: () => api.episode(id),
    enabled: finished,
  });
  const started = episode.started?.payload;
  const shown = episode.turns.find((entry) => entry.turn === turn) ?? episode.turns.at(-1);
  const truth = view.data?.truth;
  return (
    <section className="panel grid gap-4" aria-label="Episode">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2>{started?.task.title ?? `Episode ${id}`}</h2>
        <span role="status">{status}</span>
      </div>
      {started && <p className="text-muted">{started.task.hint}</p>}
      {drivable && !finished && started && <DriveControls id={id} version={episode.version} />}
      {started && (
        <TurnTimeline
          turns={episode.turns}
          maxTurns={started.config.max_turns}
          current={shown?.turn ?? null}
          live={!finished}
          following={turn === undefined}
          onSelect={onTurn}
          onFollow={() => onTurn(undefined)}
        />
      )}
      {!shown && <p>Waiting for the first hypothesis</p>}
      {writing && <pre className="overflow-x-auto whitespace-pre-wrap">{writing}</pre>}
      {started && (
        <Motion
          task={started.task}
          config={started.config}
          turn={shown ?? null}
          previous={episode.turns.find((entry) => entry.turn === (shown?.turn ?? 0) - 1) ?? null}
        />
      )}
      {episode.failure && (
        <p className="text-danger">
          Policy failed: {episode.failure.reason} (attempt {episode.failure.attempt} of{" "}
          {episode.failure.attempts_allowed})
        </p>
      )}
      {finished && <p>Outcome: {episode.outcome?.replace("_", " ")}</p>}
      {truth?.equation != null && (
        <details>
          <summary>Show the true law</summary>
          <pre className="overflow-x-auto whitespace-pre-wrap">{truth.equation}</pre>
        </details>
      )}
      {started && (
        <p className="text-xs text-muted">
          {started.task.system_id}, seed {started.task.seed ?? "none"}, policy {started.policy},
          engine {started.engine_version}, {episode.version} events
        </p>
      )}
    </section>
  );
}

interface MotionProps {
  task: Task;
  config: EpisodeConfig;
  turn: TurnView | null;
  previous: TurnView | null;
}

/** Observed and predicted motion of one turn under one clock, its equation and its reward. */
function Motion({ task, config, turn, previous }: MotionProps) {
  const times = task.shown[0]?.t ?? [];
  const clock = useClock({ duration: (times.at(-1) ?? 1) - (times[0] ?? 0) });
  return (
    <>
      {turn && (
        <EquationView
          parse={turn.parse}
          source={turn.equation}
          params={turn.params}
          previous={previous}
        />
      )}
      {turn?.rationale && <p className="text-muted">{turn.rationale}</p>}
      <Transport clock={clock} unit={task.time_unit} />
      <div className="grid gap-4 lg:grid-cols-2">
        <Scene task={task} turn={turn} clock={clock} />
        {turn && <RewardBar turn={turn} config={config} />}
      </div>
      <TrajectoryPlot task={task} turn={turn} clock={clock} />
      {turn?.raw_completion != null && (
        <details>
          <summary>Raw completion</summary>
          <pre className="overflow-x-auto whitespace-pre-wrap">{turn.raw_completion}</pre>
        </details>
      )}
    </>
  );
}
