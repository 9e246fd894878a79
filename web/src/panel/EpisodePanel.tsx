import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect, useMemo, useState } from "react";
import { bundled } from "../api/bundle";
import { ApiError, api } from "../api/client";
import type { ModelPrompt, ModelText } from "../api/streams";
import type { EpisodeState } from "../episode/reduce";
import type { TurnView } from "../episode/types";
import { type Following, useEpisode } from "../episode/useEpisode";
import { useKeys } from "../shared/keys";
import { NotFound, Part, StatusPill, StreamBar } from "../shared/parts";
import type { EpisodeSearch } from "../shared/search";
import {
  Charts,
  type Clock,
  EquationView,
  figure,
  finding,
  PlayEpisode,
  predicted,
  RewardBar,
  Scene,
  Sound,
  Transport,
  TurnTimeline,
  useClock,
} from "../viz";
import { DriveControls } from "./DriveControls";
import { Share } from "./Share";

interface Props {
  id: string;
  view: EpisodeSearch;
  onView: (view: EpisodeSearch) => void;
  drivable?: boolean;
  /** A hypothesis that is being typed, drawn beside the data before a turn is spent on it. */
  preview?: { label: string; states: number[][] } | null;
}

/** The right side of every episode screen. Mount with `key={id}`. */
export function EpisodePanel({ id, drivable = false, ...rest }: Props) {
  const following = useEpisode(id);
  const { episode } = following;
  const finished = episode.outcome !== null;
  // A stream does not say why it was refused; the episode itself does.
  const refused = episode.version === 0 && following.connection.status === "Disconnected";
  const stored = useQuery({
    queryKey: ["episode", id, finished],
    queryFn: () => api.episode(id),
    enabled: finished || refused,
    retry: false,
  });
  if (stored.error instanceof ApiError && stored.error.status === 404)
    return <NotFound what={`Episode ${id}`} />;
  return (
    <EpisodeBody
      {...following}
      {...rest}
      id={id}
      controls={drivable && !finished && <DriveControls id={id} version={episode.version} />}
      law={stored.data?.truth?.equation ?? null}
      forkable={!bundled}
    />
  );
}

interface BodyProps extends Following, Omit<Props, "drivable"> {
  controls?: ReactNode;
  law: string | null;
  forkable?: boolean;
}

/** Moves a view to another turn, dropping what belongs to the old one. */
export function atTurn(view: EpisodeSearch, turn: number | undefined): EpisodeSearch {
  return { ...(view.chart && { chart: view.chart }), ...(turn !== undefined && { turn }) };
}

/** The clock of a task; `t` in the address is where it stands still, and pausing writes it there. */
export function useTaskClock(
  times: readonly number[],
  view: EpisodeSearch,
  onView: (view: EpisodeSearch) => void,
): Clock {
  const clock = useClock({ duration: (times.at(-1) ?? 1) - (times[0] ?? 0), startAt: view.t });
  useEffect(() => {
    let playing = clock.isPlaying();
    return clock.subscribe((time) => {
      if (playing && !clock.isPlaying()) onView({ ...view, t: Number(time.toFixed(3)) });
      playing = clock.isPlaying();
    });
  });
  return clock;
}

/** The keys that move through time and turns. */
export function useEpisodeKeys(
  clock: Clock,
  turns: number,
  current: number | undefined,
  view: EpisodeSearch,
  onView: (view: EpisodeSearch) => void,
): void {
  const toTurn = (turn: number) => {
    if (turn >= 1 && turn <= turns) onView(atTurn(view, turn));
  };
  const step = (direction: number) => (event: KeyboardEvent) => {
    clock.pause();
    clock.seek(clock.getTime() + (direction * clock.duration * (event.shiftKey ? 10 : 1)) / 200);
  };
  const at = current ?? turns;
  useKeys({
    " ": () => (clock.isPlaying() ? clock.pause() : clock.play()),
    ",": step(-1),
    "<": step(-1),
    ".": step(1),
    ">": step(1),
    "[": () => toTurn(at - 1),
    "]": () => toTurn(at + 1),
    Home: () => toTurn(1),
    End: () => toTurn(turns),
    l: () => onView(atTurn(view, undefined)),
    "1": () => onView({ ...view, chart: "time" }),
    "2": () => onView({ ...view, chart: "phase" }),
    "3": () => onView({ ...view, chart: "histogram" }),
  });
}

/** One episode as far as it is known, live or recorded. */
export function EpisodeBody(props: BodyProps) {
  const { id, view, onView, episode, connection, writing, prompt, controls, law } = props;
  const finished = episode.outcome !== null;
  const started = episode.started?.payload;
  const shown = episode.turns.find((entry) => entry.turn === view.turn) ?? episode.turns.at(-1);
  return (
    <section className="panel grid gap-4" aria-label={`Episode of ${started?.policy ?? id}`}>
      <div className="flex flex-wrap items-baseline justify-between gap-2">
        <h2>{started ? `${started.task.title}: ${started.policy}` : `Episode ${id}`}</h2>
        <StatusPill status={connection.status} />
      </div>
      <StreamBar
        connection={connection}
        known={episode.turns.length ? `turn ${episode.turns.length}` : "nothing yet"}
      />
      {started && <p className="text-muted">{started.task.hint}</p>}
      {started && controls}
      {started && (
        <TurnTimeline
          rows={[{ label: started.policy, turns: episode.turns, finished }]}
          maxTurns={started.config.max_turns}
          current={shown?.turn ?? null}
          live={!finished}
          following={view.turn === undefined}
          onSelect={(turn) => onView(atTurn(view, turn))}
          onFollow={() => onView(atTurn(view, undefined))}
        />
      )}
      {started && !shown && !finished && <Waiting since={started && episode.updatedAt} />}
      {writing && <Writing text={writing} />}
      {episode.failure && !finished && (
        <p className="notice">
          Policy failed: {episode.failure.reason} (attempt {episode.failure.attempt} of{" "}
          {episode.failure.attempts_allowed}). Earlier turns stay; the next attempt or another
          policy goes on from here.
        </p>
      )}
      {started && <Motion {...props} turn={shown ?? null} />}
      <Completion id={id} turn={shown ?? null} prompt={prompt} />
      {finished && (
        <p>
          <strong>{OUTCOMES[episode.outcome ?? ""] ?? episode.outcome}</strong>
          {episode.failure && episode.outcome === "policy_failed" && `: ${episode.failure.reason}`}
        </p>
      )}
      {law !== null && (
        <details>
          <summary>Show the true law</summary>
          <pre className="overflow-x-auto whitespace-pre-wrap">{law}</pre>
        </details>
      )}
      {started && (
        <Share
          id={id}
          task={started.task}
          targets={started.targets}
          turn={shown ?? null}
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
          {provenance(episode, shown ?? null).join(", ")}
        </p>
      )}
    </section>
  );
}

/** Where what is shown comes from: enough to play the same episode again. */
function provenance(episode: EpisodeState, turn: TurnView | null): string[] {
  const started = episode.started;
  if (!started) return [];
  const { task, policy, config, engine_version: engine, fingerprint } = started.payload;
  const when = (text: string) => new Date(text).toLocaleString();
  return [
    task.system_id,
    `seed ${task.seed ?? "none"}`,
    `policy ${policy}${turn?.provenance.model ? ` (${turn.provenance.model})` : ""}`,
    `profile ${config.verifier?.profile}`,
    `odeint at tolerance ${figure(config.verifier?.rtol ?? 0, 1)}`,
    `engine ${engine}${fingerprint.scipy ? ` with SciPy ${fingerprint.scipy}` : ""}`,
    `${episode.version} events`,
    `first ${when(started.recorded_at)}`,
    ...(episode.updatedAt ? [`last ${when(episode.updatedAt)}`] : []),
  ];
}

/** A hypothesis with its constants, in a line of plain text. */
export function lawOf(turn: TurnView): string {
  const constants = Object.entries({ ...turn.params, ...turn.simulation.fitted });
  const told = constants.map(
    ([name, value]) => `${name} = ${value === null ? "?" : figure(value, 4)}`,
  );
  return [turn.parse.canonical ?? turn.equation, ...told].join("; ");
}

const OUTCOMES: Record<string, string> = {
  solved: "Solved",
  budget_exhausted: "Not solved within the turn budget",
  abandoned: "Abandoned",
  policy_failed: "The policy failed",
};

/** Counts the seconds while a policy thinks: the panel is never silent. */
function Waiting({ since }: { since: string | null }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = since ? Math.max(0, Math.round((now - Date.parse(since)) / 1000)) : 0;
  return (
    <p>
      Waiting for the first hypothesis <span className="text-muted">{seconds} s</span>
    </p>
  );
}

/** The reply as it is being written: a model's text is shown as text, whatever it holds. */
export function Writing({ text }: { text: ModelText }) {
  return (
    <figure className="grid gap-1">
      <figcaption className="text-xs text-muted">
        Writing turn {text.turn}: {text.tokens} tokens
        {text.tokens_per_s !== null && `, ${text.tokens_per_s.toFixed(0)} a second`}
        {text.elapsed_s !== undefined && `, ${text.elapsed_s.toFixed(1)} s`}
      </figcaption>
      <pre className="max-h-48 overflow-auto whitespace-pre-wrap" tabIndex={0}>
        {text.text}
      </pre>
    </figure>
  );
}

interface CompletionProps {
  id: string;
  turn: TurnView | null;
  /** Of the turn that is being written. */
  prompt: ModelPrompt | null;
}

/** What was asked and what came back, word for word. */
function Completion({ id, turn, prompt }: CompletionProps) {
  const [open, setOpen] = useState(false);
  const live = turn === null || prompt === null || prompt.turn > turn.turn ? prompt : null;
  const recorded = useQuery({
    queryKey: ["prompt", id, turn?.turn],
    queryFn: () => api.prompt(id, turn?.turn ?? 0),
    enabled: open && !bundled && live === null && turn?.provenance.prompt_sha256 != null,
    retry: false,
  });
  if (turn?.raw_completion == null && live === null) return null;
  const asked = live ?? recorded.data;
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Prompt and raw completion</summary>
      <div className="mt-2 grid gap-2">
        {asked?.messages.map((message, i) => (
          <Verbatim
            key={`${message.role} ${i}`}
            name={`${message.role}, turn ${asked.turn}`}
            text={message.content}
          />
        ))}
        {recorded.data?.exact === false && live === null && (
          <p className="text-xs text-muted">
            Written anew from the log by this version; the model was asked in other words.
          </p>
        )}
        {live === null && turn?.raw_completion != null && (
          <Verbatim name={`completion, turn ${turn.turn}`} text={turn.raw_completion} />
        )}
      </div>
    </details>
  );
}

/** A model's text, as text. */
function Verbatim({ name, text }: { name: string; text: string }) {
  return (
    <figure>
      <figcaption className="text-xs text-muted">{name}</figcaption>
      <pre className="max-h-64 overflow-auto whitespace-pre-wrap" tabIndex={0}>
        {text}
      </pre>
    </figure>
  );
}

/** Observed and predicted motion of one turn under one clock, its equation and its reward. */
function Motion({ episode, view, onView, turn, preview }: BodyProps & { turn: TurnView | null }) {
  const started = episode.started?.payload;
  const task = started?.task;
  const clock = useTaskClock(task?.shown[0]?.t ?? [], view, onView);
  useEpisodeKeys(clock, episode.turns.length, turn?.turn, view, onView);
  const series = useMemo(
    () => [
      ...predicted(turn),
      ...(preview ? [{ ...preview, colour: "untrained" as const, dashed: true }] : []),
    ],
    [turn, preview],
  );
  if (!started || !task) return null;
  return (
    <>
      {turn && (
        <Part name="The equation">
          <EquationView
            parse={turn.parse}
            source={turn.equation}
            params={turn.params}
            previous={episode.turns.find((entry) => entry.turn === turn.turn - 1) ?? null}
          />
        </Part>
      )}
      {turn?.rationale && <p className="text-muted">{turn.rationale}</p>}
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
      <div className="grid gap-4 md:grid-cols-2">
        <Part name="The scene">
          <Scene task={task} series={series} clock={clock} />
        </Part>
        {turn && (
          <Part name="The reward">
            <RewardBar turn={turn} config={started.config} />
          </Part>
        )}
      </div>
      <Part name="The chart">
        <Charts
          task={task}
          series={series}
          clock={clock}
          chart={view.chart ?? "time"}
          onChart={(chart) => onView({ ...view, chart })}
          label={finding(task, turn)}
          caption={{
            title: `${task.title}: ${started.policy}${turn ? `, turn ${turn.turn}` : ""}`,
            lines: [turn ? lawOf(turn) : "", provenance(episode, turn).join(", ")],
          }}
        />
      </Part>
    </>
  );
}
