import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { api } from "../../api/client";
import { useEpisodes } from "../../episode/useEpisode";
import { Compared, type ComparedView } from "../../panel/Compared";
import AboutSystem from "../../shared/AboutSystem";
import { defaultPair } from "../../shared/pair";
import { Failure, Loading, NotFound } from "../../shared/parts";
import { MOST_COMPARED } from "../../shared/search";
import { SeedField, SystemField, seedOf } from "../../shared/TaskFields";

const FetchModels = lazy(() => import("../../shared/FetchModels"));

/** A motion that takes more than one guess. */
const DEFAULT_SYSTEM = "damped_pendulum";

/** Chooses one task and two or more policies; two that both have something to show are the default. */
export function CompareForm({ onStarted }: { onStarted: (id: string) => void }) {
  const systems = useQuery({ queryKey: ["systems"], queryFn: api.systems });
  const policies = useQuery({ queryKey: ["policies"], queryFn: api.policies });
  const [system, setSystem] = useState<string>();
  const [seed, setSeed] = useState("");
  const [chosen, setChosen] = useState<string[]>();
  const reachable = policies.data?.filter((entry) => entry.reachable) ?? [];
  const picked = chosen ?? defaultPair(policies.data ?? []);
  const posed =
    systems.data?.find(({ id }) => id === (system ?? DEFAULT_SYSTEM)) ?? systems.data?.[0];
  const chosenSystem = posed?.id;
  const start = useMutation({
    mutationFn: () =>
      api.compare({
        max_turns: 8,
        policies: picked,
        seed: seedOf(seed),
        ...(chosenSystem && { system_id: chosenSystem }),
      }),
    onSuccess: (comparison) => onStarted(comparison.comparison_id),
  });
  const failed = start.error ?? systems.error ?? policies.error;
  return (
    <>
      <form
        className="panel grid gap-3"
        onSubmit={(submit) => {
          submit.preventDefault();
          start.mutate();
        }}
      >
        <SystemField systems={systems.data} value={chosenSystem} onChange={setSystem} />
        <fieldset className="grid gap-1">
          <legend>Policies on the same task</legend>
          {reachable.map((entry) => (
            <label key={entry.name} className="flex min-h-6 items-center gap-2">
              <input
                type="checkbox"
                checked={picked.includes(entry.name)}
                onChange={(e) =>
                  setChosen(
                    e.target.checked
                      ? [...picked, entry.name]
                      : picked.filter((name) => name !== entry.name),
                  )
                }
              />
              {entry.title}
            </label>
          ))}
        </fieldset>
        <Suspense>
          <FetchModels />
        </Suspense>
        {picked.length > MOST_COMPARED && (
          <p className="notice" role="status">
            {picked.length} policies are chosen, and at most {MOST_COMPARED} are compared. Take{" "}
            {picked.length - MOST_COMPARED} away, or put them all on a <Link to="/many">board</Link>
            .
          </p>
        )}
        <SeedField value={seed} onChange={setSeed} />
        <button
          type="submit"
          className="button primary"
          disabled={
            start.isPending || !chosenSystem || picked.length < 1 || picked.length > MOST_COMPARED
          }
        >
          Compare
        </button>
        {failed && <Failure error={failed} />}
      </form>
      <AboutSystem system={posed} />
    </>
  );
}

/** The members of a comparison, live, and how they stand. */
export function ComparisonScreen({ id, ...rest }: ComparedView & { id: string }) {
  const comparison = useQuery({ queryKey: ["comparison", id], queryFn: () => api.comparison(id) });
  if (comparison.isLoadingError)
    return <Failure error={comparison.error} again={() => comparison.refetch()} />;
  if (!comparison.data) return <Loading what="the comparison" height={480} />;
  const ids = comparison.data.members.map((member) => member.episode_id);
  return <Members {...rest} ids={ids} comparisonId={id} />;
}

interface MembersProps extends ComparedView {
  ids: string[];
  comparisonId?: string;
}

/** Any episodes side by side, on one stream. */
export function Members({ ids: named, ...rest }: MembersProps) {
  const ids = rest.comparisonId === undefined ? named.slice(0, MOST_COMPARED) : named;
  const { of } = useEpisodes(ids);
  const missing = ids.filter((id) => of(id).missing && of(id).episode.version === 0);
  if (missing.length > 0) return <NotFound what={`Episode ${missing.join(", ")}`} />;
  return (
    <Compared {...rest} members={ids.map((id) => ({ id, ...of(id) }))}>
      {ids.length < named.length && (
        <p className="notice">
          More than {MOST_COMPARED} episodes were asked for: these are the first {MOST_COMPARED}.
        </p>
      )}
    </Compared>
  );
}
