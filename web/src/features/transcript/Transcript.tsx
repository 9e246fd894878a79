import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { ApiError, api } from "../../api/client";
import type { EpisodeView } from "../../episode/types";
import { Failure, Loading, NotFound } from "../../shared/parts";
import type { TranscriptSearch } from "../../shared/search";
import { save, Typeset } from "../../viz";
import { figure, share } from "../../viz/format";
import { asText, type Entry, entries, holds, tokens, verdictOf } from "./entries";

const ANEW_MS = 2000;

interface Props {
  id: string;
  view: TranscriptSearch;
  onView: (view: TranscriptSearch) => void;
}

/** Everything that was asked and answered in an episode, to be read from top to bottom. */
export default function Transcript({ id, view, onView }: Props) {
  const [whole, setWhole] = useState(false);
  const episode = useQuery({
    queryKey: ["transcript", id],
    queryFn: () => api.episode(id),
    refetchInterval: (query) => (query.state.data?.status === "running" ? ANEW_MS : false),
    retry: false,
  });
  const events = useQuery({
    queryKey: ["events", id, episode.data?.version],
    queryFn: () => api.events(id),
    placeholderData: (before) => before,
    enabled: episode.data !== undefined,
  });
  if (episode.error instanceof ApiError && episode.error.status === 404)
    return <NotFound what={`Episode ${id}`} />;
  if (episode.isLoadingError)
    return <Failure error={episode.error} again={() => episode.refetch()} />;
  if (!episode.data) return <Loading what="the transcript" height={480} />;
  const all = entries(episode.data, events.data ?? []);
  const shown = all.filter(
    (entry) =>
      (view.only !== "failures" || entry.failed) && (view.q === undefined || holds(entry, view.q)),
  );
  return (
    <div className="grid gap-4">
      <Head episode={episode.data} all={all} />
      <search className="flex flex-wrap items-end gap-3">
        <label className="grow">
          <span className="text-xs text-muted">Search in equations, replies and verdicts</span>
          <input
            className="field"
            type="search"
            defaultValue={view.q ?? ""}
            onChange={(event) => onView({ ...view, q: event.target.value || undefined })}
          />
        </label>
        <label className="flex min-h-8 items-center gap-2">
          <input
            type="checkbox"
            checked={view.only === "failures"}
            onChange={(event) =>
              onView({ ...view, only: event.target.checked ? "failures" : undefined })
            }
          />
          Failures only ({all.filter((entry) => entry.failed).length})
        </label>
        <button type="button" className="button" onClick={() => setWhole(!whole)}>
          {whole ? "Close all" : "Open all"}
        </button>
        <button
          type="button"
          className="button"
          onClick={() =>
            save(`${id}.txt`, new Blob([asText(episode.data, shown)], { type: "text/plain" }))
          }
        >
          Save as text
        </button>
      </search>
      <p role="status" className="sr-only">
        {shown.length} of {all.length} entries
      </p>
      {shown.length === 0 && (
        <p>{all.length === 0 ? "No turn yet." : "Nothing passes this filter."}</p>
      )}
      <ol className="grid gap-2">
        {shown.map((entry) => (
          <li key={`${entry.turn} ${entry.at}`}>
            <Line key={`${whole}`} id={id} entry={entry} open={whole || view.turn === entry.turn} />
          </li>
        ))}
      </ol>
    </div>
  );
}

function Head({ episode, all }: { episode: EpisodeView; all: Entry[] }) {
  const spent = all.reduce((sum, entry) => sum + (tokens(entry) ?? 0), 0);
  const seconds = all.reduce((sum, entry) => sum + (entry.seconds ?? 0), 0);
  const asked = all.reduce((sum, entry) => sum + (entry.played?.provenance.prompt_tokens ?? 0), 0);
  const model = episode.turns.find((turn) => turn.provenance.model)?.provenance.model;
  return (
    <header className="grid gap-1">
      <h2>
        {episode.task.title}: {episode.policy}
        {model && <span className="font-normal text-muted"> ({model})</span>}
      </h2>
      <p className="flex flex-wrap gap-x-4 text-muted">
        <span>
          {episode.turns.length} of {episode.config.max_turns} turns
        </span>
        <span>{figure(seconds)} s</span>
        {asked > 0 && <span>{asked} tokens read</span>}
        {spent > 0 && <span>{spent} tokens written</span>}
        <Link to="/episodes/$episodeId" params={{ episodeId: episode.episode_id }}>
          Replay
        </Link>
        {episode.task.measured && (
          <Link to="/bench/$episodeId" params={{ episodeId: episode.episode_id }}>
            Bench
          </Link>
        )}
      </p>
    </header>
  );
}

/** One entry: a line that says what happened, and all of it when opened. */
function Line({ id, entry, open }: { id: string; entry: Entry; open: boolean }) {
  const [opened, setOpened] = useState(open);
  const { played, failure } = entry;
  return (
    <details
      className="panel"
      open={open}
      onToggle={(event) => setOpened(event.currentTarget.open)}
    >
      <summary className="flex cursor-pointer flex-wrap items-baseline gap-x-3 gap-y-1">
        <span className="w-14 shrink-0 text-muted">turn {entry.turn}</span>
        <span
          className={`w-32 shrink-0 ${entry.failed ? "text-danger" : played?.solved ? "text-ok" : ""}`}
        >
          <span aria-hidden="true">{entry.failed ? "✕ " : played?.solved ? "✓ " : "· "}</span>
          {verdictOf(entry)}
        </span>
        <code
          className="order-last w-full sm:order-none sm:w-0 sm:grow sm:truncate"
          style={{ overflowWrap: "anywhere" }}
        >
          {played?.equation ?? failure?.reason}
        </code>
        <span className="ml-auto w-16 shrink-0 text-right text-muted">
          {entry.seconds === null ? "" : `${figure(entry.seconds, 2)} s`}
        </span>
        <span className="w-20 shrink-0 text-right text-muted max-sm:w-auto">
          {tokens(entry) === null ? "" : `${tokens(entry)} tok`}
        </span>
      </summary>
      {opened && (
        <div className="mt-3 grid gap-3">
          {played && <Asked id={id} entry={entry} />}
          {played?.raw_completion != null && <Said name="Reply" text={played.raw_completion} />}
          {played && !played.parse.rejection && (
            <Typeset
              latex={played.parse.latex ?? ""}
              source={played.equation}
              of={`turn ${entry.turn}`}
            />
          )}
          {played?.parse.rejection && (
            <p className="text-danger">
              {played.parse.rejection.message.replace(/^[a-z_]+: /, "")}
            </p>
          )}
          {played?.rationale && <p className="text-muted">{played.rationale}</p>}
          {played && (
            <section aria-label="Verdict" className="grid gap-1">
              <h3>Verdict</h3>
              <p>{played.mismatch}</p>
              <p className="flex flex-wrap gap-x-4 text-xs text-muted">
                {(["match", "progress", "simplicity", "format"] as const).map((part) => (
                  <span key={part}>
                    {part} {share(played.reward[part])}
                  </span>
                ))}
                <span>reward {share(played.emitted)}</span>
                {played.generalisation !== null && (
                  <span>generalisation {figure(played.generalisation, 3)}</span>
                )}
                {played.provenance.prompt_tokens !== null && (
                  <span>{played.provenance.prompt_tokens} tokens read</span>
                )}
                {played.provenance.latency_s !== null && (
                  <span>{figure(played.provenance.latency_s, 2)} s to answer</span>
                )}
              </p>
            </section>
          )}
          {(played?.findings?.findings.length ?? 0) > 0 && (
            <section aria-label="Findings">
              <h3>Findings</h3>
              <ul>
                {played?.findings?.findings.map((one) => (
                  <li key={`${one.kind} ${one.target} ${one.term}`}>
                    <code>{one.target}</code>: {one.kind} <code>{one.term}</code>
                    {one.kind !== "superfluous" &&
                      ` × ${figure(one.factor)} ± ${figure(one.error, 2)}`}
                    <span className="text-muted"> takes {figure(one.size)} off χ²</span>
                  </li>
                ))}
              </ul>
            </section>
          )}
          {failure && (
            <p className="text-danger">
              {failure.reason} (attempt {failure.attempt} of {failure.attempts_allowed})
            </p>
          )}
        </div>
      )}
    </details>
  );
}

/** The prompt of a turn, written anew from the log. */
function Asked({ id, entry }: { id: string; entry: Entry }) {
  const wanted = entry.played?.provenance.prompt_sha256 != null;
  const prompt = useQuery({
    queryKey: ["prompt", id, entry.turn],
    queryFn: () => api.prompt(id, entry.turn),
    enabled: wanted,
    retry: false,
  });
  if (!wanted) return null;
  if (prompt.error) return <p className="text-muted">{prompt.error.message}</p>;
  return (
    <>
      {prompt.data?.messages.map((message, i) => (
        <Said
          key={`${message.role} ${i}`}
          name={`Prompt, ${message.role}`}
          text={message.content}
        />
      ))}
      {prompt.data?.exact === false && (
        <p className="text-xs text-muted">
          Written anew from the log by this version; the model was asked in other words.
        </p>
      )}
    </>
  );
}

function Said({ name, text }: { name: string; text: string }) {
  return (
    <figure>
      <figcaption className="text-xs text-muted">{name}</figcaption>
      <pre
        className="max-h-72 overflow-auto whitespace-pre-wrap rounded p-2"
        style={{ background: "var(--canvas)" }}
        tabIndex={0}
      >
        {text}
      </pre>
    </figure>
  );
}
