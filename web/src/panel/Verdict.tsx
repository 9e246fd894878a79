import { useEffect, useRef, useState } from "react";
import type { ModelText, StreamStatus } from "../api/streams";
import type { EpisodeState } from "../episode/reduce";
import type { EpisodeStarted, Outcome, Standing, TurnView } from "../episode/types";
import { CARRIED, OUTCOMES } from "../shared/words";
import { why } from "../viz/EquationView";
import { share } from "../viz/format";

interface Props {
  episode: EpisodeState;
  turn: TurnView | null;
  driven: boolean | null;
  status: StreamStatus;
  writing: ModelText | null;
}

/** What came of the episode, or what goes on in it; then what the verifier says of the turn that is shown. */
export function Verdict({ episode, turn, driven, status, writing }: Props) {
  const started = episode.started?.payload;
  if (!started) return null;
  return (
    <section className="verdict grid content-start gap-1" aria-label="Verdict" tabIndex={0}>
      <p className="text-lg">
        <Headline {...{ episode, driven, status, writing }} />
      </p>
      {turn && (
        <p>
          <span className="font-semibold">{said(turn)}</span>{" "}
          {turn.parse.rejection === null && turn.mismatch}
        </p>
      )}
      {turn && <Generalisation turn={turn} carried={started.carried_to} />}
    </section>
  );
}

/** A turn in a few words. */
export function said(turn: TurnView): string {
  if (turn.parse.rejection) return `Turn ${turn.turn} did not parse.`;
  return `Turn ${turn.turn}: match ${share(turn.reward.match)}.`;
}

function Headline({ episode, driven, status, writing }: Omit<Props, "turn">) {
  const { outcome, standing, failure, turns, started } = episode;
  const config = started?.payload.config;
  if (outcome !== null) {
    return (
      <>
        <strong>{OUTCOMES[outcome]}</strong>{" "}
        <span className="text-muted">{after(outcome, turns.length, standing)}</span>
        {outcome === "policy_failed" && (
          <span className="text-danger"> {failure?.reason ?? "It gave no reason."}</span>
        )}
      </>
    );
  }
  if (failure)
    return (
      <span className="text-danger">
        Policy failed: {failure.reason} (attempt {failure.attempt} of {failure.attempts_allowed})
      </span>
    );
  if (status === "Complete")
    return (
      <>
        Not finished <span className="text-muted">The record ends here.</span>
      </>
    );
  if (writing)
    return (
      <>
        Writing turn {writing.turn}{" "}
        <span className="text-muted">
          {count(writing.tokens, "token")}
          {writing.tokens_per_s !== null && `, ${writing.tokens_per_s.toFixed(0)} a second`}
          {writing.elapsed_s !== undefined && `, ${writing.elapsed_s.toFixed(0)} s`}
        </span>
      </>
    );
  if (started?.payload.policy === "you")
    return (
      <>
        Your turn {turns.length + 1} of {config?.max_turns}
      </>
    );
  if (driven === false)
    return (
      <>
        Paused <span className="text-muted">after {count(turns.length, "turn")}</span>
      </>
    );
  return <Thinking turn={turns.length + 1} since={episode.updatedAt} />;
}

/** How far it came, in a few words. */
function after(outcome: Outcome, turns: number, standing: Standing | null): string {
  if (outcome === "solved" || outcome === "fits") return `in ${count(turns, "turn")}`;
  const played = `after ${count(turns, "turn")}`;
  if (turns === 0 || standing === null) return played;
  if (standing.best_match > 0 && standing.best_turn !== null)
    return `${played}; best match ${share(standing.best_match)} in turn ${standing.best_turn}`;
  return `${played}, none of which matched`;
}

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;

/** Counts the seconds while a policy thinks: the panel is never silent. */
function Thinking({ turn, since }: { turn: number; since: string | null }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = since ? Math.max(0, Math.round((now - Date.parse(since)) / 1000)) : 0;
  return (
    <>
      {turn === 1 ? "Waiting for the first hypothesis" : `Thinking about turn ${turn}`}{" "}
      <span className="text-muted">{seconds} s</span>
    </>
  );
}

interface GeneralisationProps {
  turn: TurnView;
  carried: EpisodeStarted["payload"]["carried_to"];
}

/** How well a turn's law holds on what the policy never saw, and what that is. */
export function Generalisation({ turn, carried }: GeneralisationProps) {
  if (turn.generalisation === null || turn.parse.rejection) return null;
  return (
    <p className="text-muted">
      Generalisation <strong className="text-ink">{share(turn.generalisation)}</strong> on{" "}
      {carried === null ? "what was held back" : CARRIED[carried]}. Recorded, never rewarded.
    </p>
  );
}

/** Says each turn that completes, and the end, to those who listen; what was there before is not read out. */
export function Spoken({ episode }: { episode: EpisodeState }) {
  const [text, setText] = useState("");
  const known = useRef<{ version: number; turns: number; ended: boolean } | null>(null);
  const ended = episode.outcome !== null;
  const last = episode.turns.at(-1);
  useEffect(() => {
    const before = known.current;
    known.current = { version: episode.version, turns: episode.turns.length, ended };
    if (before === null || before.version === 0) return;
    const told = [
      ...(last && episode.turns.length > before.turns
        ? [said(last), last.parse.rejection ? why(last.parse) : last.mismatch]
        : []),
      ...(ended && !before.ended && episode.outcome ? [`${OUTCOMES[episode.outcome]}.`] : []),
    ];
    if (told.length > 0) setText(told.join(" "));
  }, [episode, ended, last]);
  return (
    <p role="status" aria-label="Newest turn" className="sr-only">
      {text}
    </p>
  );
}
