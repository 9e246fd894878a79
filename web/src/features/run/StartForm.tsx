import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { api } from "../../api/client";
import { PolicyField } from "../../shared/PolicyField";
import { isLanguageModel } from "../../shared/pair";
import type { Rules } from "../../shared/RulesFields";
import type { FormSearch } from "../../shared/search";
import { SeedField, SystemField, seedOf, TurnsField } from "../../shared/TaskFields";

const RulesFields = lazy(() => import("../../shared/RulesFields"));
const AboutSystem = lazy(() => import("../../shared/AboutSystem"));

/** As the server allows: noise in percent of a variable's own spread, and motions of one task. */
const [MOST_NOISE, MOST_MOTIONS] = [5, 4];

interface Props {
  search: FormSearch;
  manual: boolean;
  onStarted: (id: string) => void;
}

/** Chooses a task and who plays it. Never starts by itself. */
export function StartForm({ search, manual, onStarted }: Props) {
  const systems = useQuery({ queryKey: ["systems"], queryFn: api.systems });
  const policies = useQuery({ queryKey: ["policies"], queryFn: api.policies, enabled: !manual });
  const [system, setSystem] = useState(search.system);
  const [policy, setPolicy] = useState(search.policy);
  const [seed, setSeed] = useState(search.seed?.toString() ?? "");
  const [turns, setTurns] = useState(8);
  const [temperature, setTemperature] = useState("");
  const [asked, setAsked] = useState<Partial<Rules>>({});
  const [more, setMore] = useState(false);
  const [noise, setNoise] = useState("");
  const [trajectories, setTrajectories] = useState(1);
  // An address, or the run beside the form, may name what is not on offer: a task of somebody's data, say.
  const posed = systems.data?.find(({ id }) => id === system) ?? systems.data?.[0];
  const chosenSystem = posed?.id;
  const offered = policies.data?.find(({ name }) => name === policy)?.name;
  const chosenPolicy = offered ?? policies.data?.find((entry) => entry.is_default)?.name;
  const chats = chosenPolicy !== undefined && isLanguageModel(chosenPolicy);
  const player = policies.data?.find(({ name }) => name === chosenPolicy);
  const plays = player?.reachable === true;
  const rules: Rules = {
    profile: "classic",
    // What the policy is made for, until somebody says otherwise.
    constants: (manual ? undefined : player?.constants) ?? "declared",
    functions: "basic",
    reward_mode: "total",
    ...asked,
  };
  const start = useMutation({
    mutationFn: async () => {
      const episode = await api.start({
        max_turns: turns,
        ...(chosenSystem && { system_id: chosenSystem }),
        seed: seedOf(seed),
        ...rules,
        trajectories,
        ...(noise !== "" && { noise: Number(noise) / 100 }),
        ...(!manual && chosenPolicy && { policy: chosenPolicy }),
      });
      if (!manual)
        await api.play(episode.episode_id, {
          ...(chosenPolicy && { policy: chosenPolicy }),
          ...(chats && temperature !== "" && { temperature: Number(temperature) }),
        });
      return episode.episode_id;
    },
    onSuccess: onStarted,
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
        {!manual && (
          <PolicyField
            label="Policy"
            policies={policies.data}
            value={chosenPolicy}
            onChange={setPolicy}
          />
        )}
        <SeedField value={seed} onChange={setSeed} />
        <TurnsField value={turns} onChange={setTurns} />
        {!manual && chats && (
          <label>
            Temperature
            <input
              className="field"
              type="number"
              min={0}
              max={2}
              step={0.05}
              value={temperature}
              placeholder="the server's"
              onChange={(e) => setTemperature(e.target.value)}
            />
          </label>
        )}
        <details onToggle={(event) => setMore(event.currentTarget.open)}>
          <summary>Noise, motions and rules</summary>
          {more && (
            <div className="mt-2 grid gap-3">
              <label>
                Noise, in percent
                <input
                  className="field"
                  type="number"
                  min={0}
                  max={MOST_NOISE}
                  step={0.1}
                  value={noise}
                  placeholder="as the system has it"
                  onChange={(e) => setNoise(e.target.value)}
                />
              </label>
              <label>
                Motions shown
                <input
                  className="field"
                  type="number"
                  min={1}
                  max={MOST_MOTIONS}
                  value={trajectories}
                  onChange={(e) => setTrajectories(e.target.valueAsNumber || 1)}
                />
              </label>
              <Suspense>
                <RulesFields rules={rules} onRules={(some) => setAsked({ ...asked, ...some })} />
              </Suspense>
            </div>
          )}
        </details>
        <button
          type="submit"
          className="button primary"
          disabled={start.isPending || !chosenSystem || (!manual && !plays)}
        >
          Start
        </button>
        {failed && (
          <p role="alert" className="text-danger">
            {failed.message}
          </p>
        )}
        <p className="text-xs text-muted">
          Measurements of your own? Bring them to{" "}
          <Link to="/data" className="underline">
            Data
          </Link>
          .
        </p>
      </form>
      <Suspense fallback={<div style={{ minHeight: 216 }} />}>
        <AboutSystem system={posed} />
      </Suspense>
    </>
  );
}
