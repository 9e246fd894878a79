import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { api } from "../api/client";
import type { ModelText } from "../api/streams";
import type { EpisodeConfig, Task, TurnView } from "../episode/types";
import { type Following, useEpisode } from "../episode/useEpisode";
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
  const following = useEpisode(id);
  const { episode } = following;
  const finished = episode.outcome !== null;
  const view = useQuery({
    queryKey: ["episode", id, finished],
    queryFn: () => api.episode(id),
    enabled: finished,
  });
  return (
    <EpisodeBody
      {...following}
      id={id}
      turn={turn}
      onTurn={onTurn}
      controls={drivable && !finished && <DriveControls id={id} version={episode.version} />}
      law={view.data?.truth?.equation ?? null}
    />
  );
}

interface BodyProps extends Following, Omit<Props, "drivable"> {
  controls?: ReactNode;
  law: string | null;
}

/** One episode as far as it is known, live or recorded. */
export function EpisodeBody({
  id,
  turn,
  onTurn,
  episode,
  status,
  writing,
  controls,
  law,
}: BodyProps) {
  const finished = episode.outcome !== null;
  const started = episode.started?.payload;
  const shown = episode.turns.find((entry) => entry.turn === turn) ?? episode.turns.at(-1);
  return (
    <section className="panel grid gap-4" aria-label={`Episode of ${started?.policy ?? id}`}>
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2>{started ? `${started.task.title}: ${started.policy}` : `Episode ${id}`}</h2>
        <span role="status">{status}</span>
      </div>
      {started && <p className="text-muted">{started.task.hint}</p>}
      {started && controls}
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
      {writing && <Writing text={writing} />}
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
      {law !== null && (
        <details>
          <summary>Show the true law</summary>
          <pre className="overflow-x-auto whitespace-pre-wrap">{law}</pre>
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

/** The reply as it is being written: a model's text is shown as text, whatever it holds. */
function Writing({ text }: { text: ModelText }) {
  return (
    <figure className="grid gap-1">
      <figcaption className="text-xs text-muted">
        Writing turn {text.turn}: {text.tokens} tokens
        {text.tokens_per_s !== null && `, ${text.tokens_per_s.toFixed(0)} a second`}
      </figcaption>
      <pre className="max-h-48 overflow-auto whitespace-pre-wrap">{text.text}</pre>
    </figure>
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
