import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useMemo, useState } from "react";
import { api } from "../../api/client";
import type { DemoEpisodes, Task, TurnView } from "../../episode/types";
import { useMedia } from "../../shared/media";
import { Failure } from "../../shared/parts";
import { Scene, seriesOf, TrajectoryPlot, Typeset, useClock } from "../../viz";
import { share } from "../../viz/format";

const DEMO = "damped-pendulum";
const POLICY = "search";
/** How long each part stands, in seconds: twenty in all. */
const READING_S = [3.5, 5, 6, 5.5];

interface Story {
  task: Task;
  wrong: TurnView;
  right: TurnView;
}

/** A recorded episode that went wrong first, with the variable that can be seen alone. */
function storyOf(demo: DemoEpisodes): Story | null {
  const episode = demo.episodes.find((one) => one.policy === POLICY);
  const [wrong] = episode?.turns ?? [];
  const right = episode?.turns.at(-1);
  if (!episode || !wrong || !right || wrong === right) return null;
  const [variable] = episode.task.variables;
  if (!variable) return null;
  const shown = episode.task.shown.map((one) => ({
    ...one,
    states: one.states.map((state) => state.slice(0, 1)),
  }));
  return { task: { ...episode.task, variables: [variable], shown }, wrong, right };
}

/** A damped pendulum in twenty seconds: a wrong law, what the verifier says, the better law. */
export function Retold() {
  const demo = useQuery({
    queryKey: ["demo", DEMO],
    queryFn: () => api.demo(DEMO),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const story = useMemo(() => (demo.data ? storyOf(demo.data) : null), [demo.data]);
  return (
    <section className="panel retold" aria-label="A discovery in twenty seconds">
      {story && <Played {...story} />}
      {demo.isPending && (
        <p className="text-muted">
          A recorded discovery is on its way: a wrong law, what the verifier says of it, the better
          law.
        </p>
      )}
      {demo.error && <Failure error={demo.error} again={() => demo.refetch()} />}
    </section>
  );
}

function Played({ task, wrong, right }: Story) {
  const still = useMedia("(prefers-reduced-motion: reduce)");
  const [part, setPart] = useState(still ? READING_S.length - 1 : 0);
  const [playing, setPlaying] = useState(!still);
  const t = task.shown[0]?.t ?? [];
  const clock = useClock({ duration: (t.at(-1) ?? 1) - (t[0] ?? 0) });
  const last = part === READING_S.length - 1;
  useEffect(() => {
    if (!playing) return;
    const timer = setTimeout(
      () => (last ? setPlaying(false) : setPart(part + 1)),
      1000 * (READING_S[part] ?? 0),
    );
    return () => clearTimeout(timer);
  }, [part, playing, last]);
  useEffect(() => {
    if (clock.isPlaying()) clock.seek(0);
  }, [part === 1, part === 3, clock]);
  const law = part === 0 ? null : part < 3 ? wrong : right;
  const series = useMemo(() => {
    const one = law && seriesOf(law, "predicted");
    return one ? [one] : [];
  }, [law]);
  return (
    <>
      <ol className="grid content-start gap-3">
        <Step on={part >= 0} now={part === 0} head="It sees a motion">
          {task.hint}
        </Step>
        <Step on={part >= 1} now={part === 1} head="It proposes a law">
          <Law turn={wrong} />
        </Step>
        <Step on={part >= 2} now={part === 2} head="It is told where that is wrong">
          {wrong.mismatch}
        </Step>
        <Step on={part >= 3} now={part === 3} head="It finds a better one">
          <Law turn={right} />
        </Step>
        <li>
          <button
            type="button"
            className="round"
            onClick={() => {
              setPlaying(!playing);
              if (!playing && last) setPart(0);
              if (!playing && !clock.isPlaying()) clock.play();
            }}
          >
            {playing ? "Hold" : last ? "Play again" : "Go on"}
          </button>{" "}
          <span className="text-xs text-muted">A recorded episode of structure search.</span>
        </li>
      </ol>
      <div className="grid min-w-0 content-start gap-2">
        <Scene task={task} series={series} clock={clock} />
        <TrajectoryPlot
          task={task}
          series={series}
          beside={series}
          clock={clock}
          fit={false}
          label={
            law
              ? `The observed swing and the prediction: match ${share(law.reward.match)}`
              : "The observed swing"
          }
        />
      </div>
    </>
  );
}

interface StepProps {
  on: boolean;
  now: boolean;
  head: string;
  children: ReactNode;
}

/** One part of the story. All have their place from the beginning, so that nothing moves when one appears. */
function Step({ on, now, head, children }: StepProps) {
  return (
    <li className="step" data-on={on || undefined} aria-current={now ? "step" : undefined}>
      <h2>{head}</h2>
      <div>{children}</div>
    </li>
  );
}

function Law({ turn }: { turn: TurnView }) {
  return (
    <div className="flex flex-wrap items-center justify-between gap-x-4">
      <Typeset latex={turn.parse.latex ?? ""} source={turn.equation} of={`turn ${turn.turn}`} />
      <span className="pill">match {share(turn.reward.match)}</span>
    </div>
  );
}
