import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useRef } from "react";
import { ApiError, api } from "../../api/client";
import type { Discovery, EpisodeEvent, EpisodeView, Fitted, Followed } from "../../episode/types";
import { useEpisode } from "../../episode/useEpisode";
import { Failure, Loading, NotFound, Part, StatusPill } from "../../shared/parts";
import type { BenchSearch } from "../../shared/search";
import { useTitle } from "../../shared/title";
import { Typeset } from "../../viz";
import { figure, unit } from "../../viz/format";
import { Export } from "./Export";
import { Fit } from "./Fit";
import { Front } from "./Front";
import { Leftovers } from "./Leftovers";
import { type Candidate, candidates, constants, interval, measured, ownCandidates } from "./laws";
import { OwnLaw, useOwnLaws } from "./OwnLaw";

interface Props {
  id: string;
  view: BenchSearch;
  onView: (view: BenchSearch) => void;
}

/** What was found in somebody's data: not one answer but the laws, what each leaves over, and what is not known. */
export default function Bench({ id, ...rest }: Props) {
  const { episode, connection } = useEpisode(id);
  const turns = episode.turns.length;
  const ended = episode.outcome !== null;
  const stored = useQuery({
    queryKey: ["bench", id, turns, ended],
    queryFn: () => api.episode(id),
    placeholderData: (before) => before,
    retry: false,
  });
  const found = useQuery({
    queryKey: ["discovery", id, turns, ended],
    queryFn: async () => newest(await api.events(id)),
    placeholderData: (before) => before,
    retry: false,
  });
  useTitle(stored.data ? `Bench: ${stored.data.task.title || "measured data"}` : "Bench");
  if (stored.error instanceof ApiError && stored.error.status === 404)
    return <NotFound what={`Episode ${id}`} />;
  if (stored.isLoadingError) return <Failure error={stored.error} again={() => stored.refetch()} />;
  if (!stored.data) return <Loading what="the bench" height={640} />;
  return (
    <>
      <header className="mb-4 grid gap-1">
        <div className="flex flex-wrap items-baseline justify-between gap-2">
          <h2>{stored.data.task.title || "Measured data"}</h2>
          <StatusPill status={connection.status} />
        </div>
        {stored.data.task.hint && <p className="text-muted">{stored.data.task.hint}</p>}
        <nav aria-label="The same, otherwise" className="flex flex-wrap gap-4">
          <Link to="/run/$episodeId" params={{ episodeId: id }}>
            Turn by turn
          </Link>
          <Link to="/episodes/$episodeId/transcript" params={{ episodeId: id }}>
            Transcript
          </Link>
          <Link to="/data">Other data</Link>
        </nav>
      </header>
      <Laid {...rest} id={id} episode={stored.data} discovery={found.data ?? null} />
    </>
  );
}

/** What was found last; null where the policy does not search, and the turns are the laws. */
function newest(events: readonly EpisodeEvent[]): Discovery | null {
  const told = events.flatMap((event) =>
    event.type === "HypothesisSubmitted" && event.payload.discovery
      ? [event.payload.discovery]
      : [],
  );
  return told.at(-1) ?? null;
}

interface LaidProps extends Props {
  episode: EpisodeView;
  discovery: Discovery | null;
}

function Laid({ id, view, onView, episode, discovery }: LaidProps) {
  const { fits, keep } = useOwnLaws(id);
  const laws = useMemo(
    () => [...candidates(discovery, episode), ...ownCandidates(fits)],
    [discovery, episode, fits],
  );
  const shown =
    laws.find(({ key }) => key === view.law) ?? laws.find(({ chosen }) => chosen) ?? laws.at(-1);
  const ended = episode.status === "finished";
  const whole = ended || episode.task.measured === true;
  const own = whole && (
    <Part name="Your own law">
      <OwnLaw
        id={id}
        targets={episode.targets.map(({ left }) => left)}
        onFitted={(fitted) => onView({ ...view, law: keep(fitted) })}
      />
    </Part>
  );
  const follow = useQuery({
    queryKey: ["follow", id, ended, shown?.equation, shown?.params],
    queryFn: () =>
      api.follow(id, {
        equation: shown?.equation ?? "",
        params: shown?.params ?? {},
        rationale: "",
      }),
    enabled: shown !== undefined && whole,
    placeholderData: (before) => before,
    retry: false,
  });
  const figures = useRef<HTMLDivElement>(null);
  if (!shown)
    return (
      <div className="grid gap-4">
        <p className="panel" role="status">
          {ended
            ? "The episode has ended without a law."
            : `${episode.policy} is looking for laws. What it finds is laid out here.`}
        </p>
        {own}
      </div>
    );
  const { data } = follow;
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[380px_minmax(0,1fr)]">
      <div className="grid gap-4">
        <Part name="The law">
          <ChosenLaw
            law={shown}
            followed={data ?? null}
            episode={episode}
            discovery={discovery}
            ended={ended}
          />
        </Part>
        <Part name="The front">
          <Front laws={laws} shown={shown} onShow={({ key }) => onView({ ...view, law: key })} />
        </Part>
        {own}
      </div>
      <div className="grid gap-4" aria-busy={follow.isFetching}>
        <div className="flex flex-wrap items-center justify-between gap-2">
          <h2>{shown.chosen ? "The chosen law on the data" : `${shown.title} on the data`}</h2>
          {data && <Export figures={figures} episode={episode} law={shown} followed={data} />}
        </div>
        {follow.error && <Failure error={follow.error} again={() => follow.refetch()} />}
        {!data && !follow.error && <Loading what="the fit" height={480} />}
        {data && (
          <div ref={figures} className="grid gap-4">
            <Part name="The fit">
              <Fit
                followed={data}
                task={episode.task}
                run={view.run ?? 0}
                onRun={(run) => onView({ ...view, run })}
              />
            </Part>
            <Part name="The residuals">
              <Leftovers followed={data} task={episode.task} />
            </Part>
          </div>
        )}
        {discovery && (
          <div className="grid items-start gap-4 md:grid-cols-2">
            <NotKnown discovery={discovery} />
            {discovery.inclusion.length > 0 && <Terms discovery={discovery} />}
          </div>
        )}
      </div>
    </div>
  );
}

const OUTCOMES: Record<string, string> = {
  solved: "Solved",
  fits: "Fits the data shown",
  not_solved: "Not solved",
  budget_exhausted: "Ran out of turns",
  abandoned: "Gave up",
  policy_failed: "The policy failed",
};

interface ChosenProps {
  law: Candidate;
  followed: Followed | null;
  episode: EpisodeView;
  discovery: Discovery | null;
  ended: boolean;
}

/** One law with its constants and how well they are known, and how it does on what it never saw. */
function ChosenLaw({ law, followed, episode, discovery, ended }: ChosenProps) {
  const rows = constants(law);
  const held = followed?.held_back_r2;
  return (
    <section className="panel grid gap-3" aria-label="The law">
      <div className="flex flex-wrap items-baseline justify-between gap-2">
        <h2>{law.chosen ? "The law" : law.title}</h2>
        {law.chosen && episode.outcome && <strong>{OUTCOMES[episode.outcome]}</strong>}
        {law.yours && <strong>{OUTCOMES[law.yours.outcome]}</strong>}
      </div>
      <Typeset
        key={law.equation}
        latex={followed?.latex ?? ""}
        source={law.equation}
        of="the law"
      />
      {rows.length > 0 && (
        <table className="text-left">
          <thead className="text-xs text-muted">
            <tr>
              <th scope="col" className="pr-2 font-normal">
                constant
              </th>
              <th scope="col" className="pr-2 font-normal">
                value
              </th>
              <th scope="col" className="font-normal">
                95 % interval
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.name} className="border-t border-line align-baseline">
                <th scope="row" className="py-1 pr-2 font-mono font-normal">
                  {row.name}
                </th>
                <td className="py-1 pr-2">
                  {measured(row.value, row.error)}
                  {row.unit && row.unit !== "1" && (
                    <span className="text-muted"> {unit(row.unit)}</span>
                  )}
                </td>
                <td className="py-1 text-muted">
                  {row.low !== null && row.high !== null
                    ? interval(row.low, row.high)
                    : "not determined"}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {law.chosen && discovery && <p>{discovery.sentence}</p>}
      {law.yours && <Said fitted={law.yours} />}
      <p className="text-muted">
        {held != null
          ? `On what was held back R² is ${figure(held, 4)}.`
          : ended
            ? "Nothing was held back, so nothing says that it carries over."
            : "What was held back is shown when the episode has ended."}
      </p>
    </section>
  );
}

/** The verdict on a law of one's own in words, what is missing of it, and what all rows together say. */
function Said({ fitted }: { fitted: Fitted }) {
  const { said, missing, from_all_rows: all } = fitted;
  return (
    <>
      {said
        .filter((one) => one !== missing)
        .map((one) => (
          <p key={one}>{one}</p>
        ))}
      {missing && (
        <p>
          <strong className="font-medium">Missing:</strong> {missing}
        </p>
      )}
      {all.length > 0 && (
        <p className="text-muted">
          From all rows together{" "}
          {all.map(({ name, value, error }) => `${name} = ${measured(value, error)}`).join(", ")}.
        </p>
      )}
    </>
  );
}

/** What the data do not decide, and the measurement that would. */
function NotKnown({ discovery }: { discovery: Discovery }) {
  const { rivals, next_measurement: next } = discovery;
  return (
    <section className="panel grid gap-2" aria-label="What the data cannot tell">
      <h2>What the data cannot tell</h2>
      {rivals.length === 0 ? (
        <p>No other law that was tried fits about as well.</p>
      ) : (
        <>
          <p>They do not exclude</p>
          <ul className="grid gap-1">
            {rivals.map((rival) => (
              <li key={`${rival.equation} ${rival.chi2}`}>
                <code style={{ overflowWrap: "anywhere" }}>{rival.equation}</code>
                <span className="text-xs text-muted"> χ² {figure(rival.chi2, 3)} a sample</span>
              </li>
            ))}
          </ul>
        </>
      )}
      {next && (
        <>
          <h3>Measure next</h3>
          <p>{next.sentence}</p>
        </>
      )}
    </section>
  );
}

/** How often resampled data ask for each term. */
function Terms({ discovery }: { discovery: Discovery }) {
  const several = new Set(discovery.inclusion.map(({ equation }) => equation)).size > 1;
  return (
    <section className="panel grid gap-2" aria-label="How sure each term is">
      <h2>How sure each term is</h2>
      <p className="text-xs text-muted">In which share of resampled data the best law holds it.</p>
      <ul className="grid gap-1">
        {discovery.inclusion.map(({ equation, term, probability }) => (
          <li
            key={`${equation} ${term}`}
            className="grid grid-cols-[1fr_5rem_3rem] items-center gap-2"
          >
            <code className="min-w-0 truncate" title={`${equation}: ${term}`}>
              {several && (
                <span className="text-muted">{equation.replace(/^d2?|\/.*$/g, "")}: </span>
              )}
              {term}
            </code>
            <span className="h-2 rounded" style={{ background: "var(--line)" }} aria-hidden="true">
              <span
                className="block h-2 rounded"
                style={{ width: `${100 * probability}%`, background: "var(--match)" }}
              />
            </span>
            <span className="text-right text-xs">{Math.round(100 * probability)} %</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
