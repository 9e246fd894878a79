import { useQuery } from "@tanstack/react-query";
import { api } from "../api/client";
import { useEpisode } from "../episode/useEpisode";

interface Props {
  id: string;
  turn: number | undefined;
  onTurn: (turn: number | undefined) => void;
}

const figure = (value: number) => value.toFixed(2).replace("-", "\u2212");

/** The right side of every episode screen. Mount with `key={id}`. */
export function EpisodePanel({ id, turn, onTurn }: Props) {
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
      <fieldset aria-label="Turns" className="flex flex-wrap gap-2">
        {episode.turns.map((entry) => (
          <button
            type="button"
            className="button"
            key={entry.turn}
            aria-pressed={entry === shown}
            onClick={() => onTurn(entry.turn)}
          >
            {entry.turn}: {entry.parse.rejection ? "did not parse" : figure(entry.reward.match)}
          </button>
        ))}
        {turn !== undefined && !finished && (
          <button type="button" className="button" onClick={() => onTurn(undefined)}>
            Follow live
          </button>
        )}
      </fieldset>
      {!shown && <p>Waiting for the first hypothesis</p>}
      {writing && <pre className="overflow-x-auto whitespace-pre-wrap">{writing}</pre>}
      {shown && (
        <>
          <pre className="overflow-x-auto whitespace-pre-wrap">{shown.equation}</pre>
          {shown.parse.rejection && (
            <p className="text-danger">
              Did not parse, column {shown.parse.rejection.column}: {shown.parse.rejection.message}
            </p>
          )}
          <dl className="grid grid-cols-[auto_1fr] gap-x-4">
            {Object.entries(shown.params).map(([name, value]) => (
              <div className="contents" key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
          <p data-testid="reward">
            Match {figure(shown.reward.match)}, progress {figure(shown.reward.progress)}, simplicity{" "}
            {figure(shown.reward.simplicity)}, format {figure(shown.reward.format)}, total{" "}
            {figure(shown.reward.total)}
          </p>
          <p>{shown.mismatch}</p>
          {shown.raw_completion !== null && (
            <details>
              <summary>Raw completion</summary>
              <pre className="overflow-x-auto whitespace-pre-wrap">{shown.raw_completion}</pre>
            </details>
          )}
        </>
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
