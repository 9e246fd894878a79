import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/client";
import type { Comparison } from "../episode/types";
import { EpisodePanel } from "./EpisodePanel";

const anySeed = () => Math.floor(Math.random() * 1e6);
const PREFERRED = ["nano", "nano-untrained"];

/** Chooses one task and two or more policies. Trained against untrained is the default. */
export function CompareForm({ onStarted }: { onStarted: (id: string) => void }) {
  const systems = useQuery({ queryKey: ["systems"], queryFn: api.systems });
  const policies = useQuery({ queryKey: ["policies"], queryFn: api.policies });
  const [system, setSystem] = useState<string>();
  const [seed, setSeed] = useState("");
  const [chosen, setChosen] = useState<string[]>();
  const reachable = policies.data?.filter((entry) => entry.reachable) ?? [];
  const names = reachable.map((entry) => entry.name);
  const preferred = PREFERRED.filter((name) => names.includes(name));
  const picked = chosen ?? (preferred.length > 1 ? preferred : names.slice(0, 2));
  const chosenSystem = system ?? systems.data?.[0]?.id;
  const start = useMutation({
    mutationFn: () =>
      api.compare({
        max_turns: 8,
        policies: picked,
        seed: seed === "" ? anySeed() : Number(seed),
        ...(chosenSystem && { system_id: chosenSystem }),
      }),
    onSuccess: (comparison) => onStarted(comparison.comparison_id),
  });
  const failed = start.error ?? systems.error ?? policies.error;
  return (
    <form
      className="panel grid gap-3"
      onSubmit={(submit) => {
        submit.preventDefault();
        start.mutate();
      }}
    >
      <label>
        System
        <select
          className="field"
          value={chosenSystem ?? ""}
          onChange={(e) => setSystem(e.target.value)}
        >
          {systems.data?.map((entry) => (
            <option key={entry.id} value={entry.id}>
              {entry.title}
            </option>
          ))}
        </select>
      </label>
      <fieldset className="grid gap-1">
        <legend>Policies on the same task</legend>
        {reachable.map((entry) => (
          <label key={entry.name} className="flex items-center gap-2">
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
      <label>
        Seed
        <input
          className="field"
          type="number"
          min={0}
          value={seed}
          placeholder="any"
          onChange={(e) => setSeed(e.target.value)}
        />
      </label>
      <button
        type="submit"
        className="button primary"
        disabled={start.isPending || !chosenSystem || picked.length < 1}
      >
        Compare
      </button>
      {failed && (
        <p role="alert" className="text-danger">
          {failed.message}
        </p>
      )}
    </form>
  );
}

/** The members of a comparison, live, and how they stand. */
export function ComparisonScreen({ id }: { id: string }) {
  const comparison = useQuery({
    queryKey: ["comparison", id],
    queryFn: () => api.comparison(id),
    refetchInterval: (query) => (query.state.data?.status === "running" ? 1000 : false),
  });
  if (comparison.error)
    return (
      <p role="alert" className="text-danger">
        {comparison.error.message}
      </p>
    );
  if (!comparison.data) return <p aria-busy>Loading the comparison</p>;
  return (
    <div className="grid gap-4">
      <Standings comparison={comparison.data} />
      <div className="grid items-start gap-4 xl:grid-cols-2">
        {comparison.data.members.map((member) => (
          <Member key={member.episode_id} id={member.episode_id} />
        ))}
      </div>
    </div>
  );
}

function Member({ id }: { id: string }) {
  const [turn, setTurn] = useState<number>();
  return <EpisodePanel id={id} turn={turn} onTurn={setTurn} />;
}

/** Turns to solve, best match and the rest, one row a policy. */
export function Standings({ comparison }: { comparison: Comparison }) {
  const heads = ["Policy", "Outcome", "Turns to solve", "Best match", "Generalisation", "Failures"];
  return (
    <div className="panel overflow-x-auto">
      <table className="w-full text-left" aria-label="Standings">
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col" className="p-2">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {comparison.members.map((member) => (
            <tr key={member.episode_id} className="border-t border-line">
              <th scope="row" className="p-2">
                {member.policy}
              </th>
              <td className="p-2">{member.outcome?.replace("_", " ") ?? "playing"}</td>
              <td className="p-2">{member.turns_to_solve ?? "not solved"}</td>
              <td className="p-2">{member.best_match.toFixed(3)}</td>
              <td className="p-2">{member.generalisation?.toFixed(3) ?? "none"}</td>
              <td className="p-2">{member.parse_failures + member.policy_failures}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
