import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, type NewBoard } from "../../api/client";
import { Coded } from "../../shared/Coded";
import { Failure } from "../../shared/parts";
import type { ManySearch } from "../../shared/search";
import { type Profile, ProfileField } from "../../shared/TaskFields";
import { noisesIn, parted, spanOf } from "./plan";

interface Props {
  search: ManySearch;
  onStarted: (boardId: string) => void;
}

/** A plan: policies × tasks × seeds × noise, counted before it starts. */
export default function Many({ search, onStarted }: Props) {
  const suites = useQuery({ queryKey: ["suites"], queryFn: api.suites });
  const policies = useQuery({ queryKey: ["policies"], queryFn: api.policies });
  const systems = useQuery({ queryKey: ["systems"], queryFn: api.systems });
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<string[]>(parted(search.policies) ?? ["search"]);
  const [over, setOver] = useState<string[]>(parted(search.suites) ?? ["builtin"]);
  const [firstSeed, setFirstSeed] = useState(0);
  const [seeds, setSeeds] = useState(3);
  const [noises, setNoises] = useState("");
  const [drop, setDrop] = useState(0);
  const [profile, setProfile] = useState<Profile>("strict");
  const [turns, setTurns] = useState(8);
  const [repetitions, setRepetitions] = useState(1);
  const [concurrency, setConcurrency] = useState(2);
  const levels = noisesIn(noises);
  const body: NewBoard = {
    name,
    policies: chosen,
    suites: over,
    first_seed: firstSeed,
    seeds,
    noises: levels ?? [null],
    drop: drop / 100,
    profile,
    max_turns: turns,
    repetitions,
    concurrency,
  };
  const whole = chosen.length > 0 && over.length > 0 && levels !== undefined;
  const { name: _, ...counted } = body;
  const estimate = useQuery({
    queryKey: ["estimate", counted],
    queryFn: () => api.estimateBoard(body),
    enabled: whole,
    placeholderData: keepPreviousData,
    retry: false,
  });
  const start = useMutation({
    mutationFn: () => api.startBoard(body),
    onSuccess: (board) => onStarted(board.id),
  });
  const toggled = (all: string[], one: string) =>
    all.includes(one) ? all.filter((other) => other !== one) : [...all, one];
  const { data } = estimate;
  const tooMany = data !== undefined && data.episodes > data.most_episodes;
  return (
    <form
      className="grid items-start gap-4 lg:grid-cols-3"
      onSubmit={(event) => {
        event.preventDefault();
        start.mutate();
      }}
    >
      <fieldset className="panel grid gap-1">
        <legend className="sr-only">Policies</legend>
        <h2>Policies</h2>
        {policies.data?.map((entry) => (
          <label key={entry.name} className="flex min-h-6 items-start gap-2">
            <input
              type="checkbox"
              className="mt-1"
              disabled={!entry.reachable}
              checked={chosen.includes(entry.name)}
              onChange={() => setChosen(toggled(chosen, entry.name))}
            />
            <span>
              {entry.title}
              {!entry.reachable && (
                <span className="text-xs text-muted">
                  {" "}
                  <Coded text={entry.reason ?? ""} />
                </span>
              )}
            </span>
          </label>
        ))}
      </fieldset>
      <fieldset className="panel grid gap-1">
        <legend className="sr-only">Tasks</legend>
        <h2>Tasks</h2>
        {suites.data?.map((suite) => (
          <label key={suite.name} className="flex min-h-6 items-start gap-2">
            <input
              type="checkbox"
              className="mt-1"
              checked={over.includes(suite.name)}
              onChange={() => setOver(toggled(over, suite.name))}
            />
            <span>
              {suite.name}{" "}
              <span className="text-xs text-muted">
                {suite.about}, {suite.problems} {suite.problems === 1 ? "task" : "tasks"}
                {suite.seeds_are_indexes && ", one a seed"}
                {suite.operator_only && "; for the operator alone"}
              </span>
            </span>
          </label>
        ))}
        <details>
          <summary>Single systems</summary>
          {systems.data?.map((system) => {
            const suite = `builtin:${system.id}`;
            return (
              <label key={system.id} className="flex min-h-6 items-center gap-2">
                <input
                  type="checkbox"
                  checked={over.includes(suite)}
                  onChange={() => setOver(toggled(over, suite))}
                />
                {system.title}
              </label>
            );
          })}
        </details>
      </fieldset>
      <div className="panel grid gap-3">
        <h2>How often, by which rules</h2>
        <label>
          Name
          <input
            className="field"
            placeholder="as the list will show it"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <div className="grid grid-cols-2 gap-3">
          <Count label="First seed" least={0} value={firstSeed} onChange={setFirstSeed} />
          <Count label="Seeds" value={seeds} onChange={setSeeds} />
          <Count label="Times each" value={repetitions} most={100} onChange={setRepetitions} />
          <Count label="Turn budget" value={turns} most={64} onChange={setTurns} />
          <Count label="At a time" value={concurrency} most={256} onChange={setConcurrency} />
          <Count label="Samples left out, %" least={0} most={90} value={drop} onChange={setDrop} />
        </div>
        <label>
          Noise, in percent
          <input
            className="field"
            placeholder="as each suite has it; or 0, 1, 5"
            aria-invalid={levels === undefined}
            value={noises}
            onChange={(event) => setNoises(event.target.value)}
          />
        </label>
        {levels === undefined && (
          <p className="text-danger">Write percentages apart by commas, such as 0, 1, 5.</p>
        )}
        <ProfileField value={profile} onChange={setProfile} />
        <div role="status" className="grid gap-1" style={{ minHeight: 44 }}>
          {data && whole && !estimate.error && (
            <>
              <p>
                <strong>{data.episodes} episodes</strong>, at most {data.turns_at_most} turns
                {data.seconds !== null && `, about ${spanOf(data.seconds)}`}
                {data.concurrency < concurrency && `, ${data.concurrency} at a time here`}
              </p>
              {tooMany && <p className="text-danger">At most {data.most_episodes} at once.</p>}
              {data.unknown.length > 0 && (
                <p className="text-xs text-muted">
                  Nothing here tells how long {data.unknown.join(", ")} takes.
                </p>
              )}
              {Object.entries(data.cannot_be_asked).map(([policy, count]) => (
                <p key={policy} className="text-xs text-warn">
                  {policy} cannot be asked {count} of them; they count as missed.
                </p>
              ))}
            </>
          )}
        </div>
        {estimate.error && whole && <Failure error={estimate.error} />}
        <button
          type="submit"
          className="button primary"
          disabled={!whole || tooMany || start.isPending || estimate.error !== null}
        >
          Start
        </button>
        {start.error && <Failure error={start.error} />}
      </div>
    </form>
  );
}

interface CountProps {
  label: string;
  value: number;
  least?: number;
  most?: number;
  onChange: (value: number) => void;
}

function Count({ label, value, least = 1, most, onChange }: CountProps) {
  return (
    <label>
      {label}
      <input
        className="field"
        type="number"
        min={least}
        max={most}
        value={value}
        onChange={(event) =>
          onChange(Math.max(least, Math.round(event.target.valueAsNumber || least)))
        }
      />
    </label>
  );
}
