import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useReducer, useRef, useState } from "react";
import { api } from "../../api/client";
import type { EpisodeView, Trial } from "../../episode/types";
import { Failure } from "../../shared/parts";
import { statesOf } from "../../viz";
import { share } from "../../viz/format";
import {
  advice,
  begin,
  type Draft,
  draftOf,
  equationOf,
  type Finding,
  keep,
  literals,
  mended,
  redo,
  renamed,
  type Steps,
  stored,
  take,
  undo,
  withLiteral,
} from "./draft";
import { Elsewhere } from "./Elsewhere";
import { EquationField } from "./EquationField";
import { Slider } from "./Slider";
import { useTrial } from "./useTrial";
import { Verdict } from "./Verdict";

interface Props {
  id: string;
  /** What the typed hypothesis would do, drawn as a preview; null while there is none. */
  onPreview: (preview: { label: string; states: number[][] } | null) => void;
}

/** A hypothesis by hand: tried while it is written, judged when it is submitted. */
export default function HypothesisForm({ id, onPreview }: Props) {
  const episode = useQuery({ queryKey: ["by hand", id], queryFn: () => api.episode(id) });
  if (episode.isLoadingError)
    return <Failure error={episode.error} again={() => episode.refetch()} />;
  if (!episode.data) return <div className="panel" aria-busy="true" style={{ minHeight: 400 }} />;
  const { data } = episode;
  return (
    <div className="grid gap-4">
      {data.status === "finished" ? (
        <Elsewhere episode={data} />
      ) : (
        <Form id={id} onPreview={onPreview} episode={data} />
      )}
      <Next episode={data} />
    </div>
  );
}

type Step = { do: "take"; draft: Draft; doing?: string } | { do: "undo" } | { do: "redo" };

function stepped(steps: Steps, step: Step): Steps {
  if (step.do === "undo") return undo(steps);
  if (step.do === "redo") return redo(steps);
  return take(steps, step.draft, step.doing);
}

function Form({ id, onPreview, episode }: Props & { episode: EpisodeView }) {
  const client = useQueryClient();
  const { task, turns, config } = episode;
  const targets = useMemo(() => episode.targets.map(({ left }) => left), [episode.targets]);
  const last = turns.at(-1);
  const [steps, step] = useReducer(stepped, null, () =>
    begin(stored(id, targets) ?? draftOf(targets, last)),
  );
  const draft = steps.now;
  const change = (next: Draft, doing = "") => step({ do: "take", draft: next, doing });
  const [place, setPlace] = useState<number | null>(null);
  const [composing, setComposing] = useState(false);
  const fields = useRef<(HTMLInputElement | null)[]>([]);
  const focused = useRef(0);
  const equation = equationOf(targets, draft.sides);
  const { trial, failed } = useTrial(
    id,
    { equation, params: draft.values },
    steps.doing.startsWith("side"),
    composing,
  );
  useEffect(() => keep(id, draft), [id, draft]);
  const states = trial ? statesOf(trial.trial.simulation) : [];
  const drawn = states.length > 0 ? trial : null;
  useEffect(() => {
    onPreview(drawn ? { label: "preview", states: statesOf(drawn.trial.simulation) } : null);
  }, [drawn, onPreview]);
  useEffect(() => () => onPreview(null), [onPreview]);

  const fit = useMutation({
    mutationFn: () => {
      const open = Object.fromEntries(Object.keys(trial?.params ?? {}).map((name) => [name, null]));
      return api.trial(id, { equation, params: open });
    },
    onSuccess: (found) => change({ ...draft, values: { ...draft.values, ...numbers(found) } }),
  });
  const submit = useMutation({
    mutationFn: async () => {
      const read = await api.trial(id, { equation, params: draft.values });
      if (read.trial.parse.rejection) return null; // the verdict says why, and no turn is spent
      return api.step(id, { equation: read.equation, params: read.params });
    },
    onSuccess: (played) => {
      if (!played) return;
      setPlace(null);
      onPreview(null);
      client.setQueryData(["by hand", id], played);
      if (played.status === "finished") keep(id, null);
    },
  });
  const edit = (i: number, text: string) => {
    setPlace(null);
    change({ ...draft, sides: draft.sides.map((side, j) => (j === i ? text : side)) }, `side ${i}`);
  };
  const set = (name: string, value: number) =>
    change({ ...draft, values: { ...draft.values, [name]: value } }, `value ${name}`);
  const recall = (direction: number) => {
    const to = (place ?? turns.length) + direction;
    const turn = turns[to];
    if (!turn) return;
    setPlace(to);
    change(draftOf(targets, turn));
  };
  const insert = (text: string) => {
    const field = fields.current[focused.current] ?? fields.current[0];
    if (!field) return;
    const i = fields.current.indexOf(field);
    const [from, to] = [field.selectionStart ?? 0, field.selectionEnd ?? 0];
    const side = draft.sides[i] ?? "";
    edit(i, side.slice(0, from) + text + side.slice(to));
    field.focus();
    requestAnimationFrame(() => field.setSelectionRange(from + text.length, from + text.length));
  };
  const variables = [...task.variables, ...(task.inputs ?? [])].map(({ name }) => name);
  const systems = useQuery({ queryKey: ["systems"], queryFn: api.systems });
  const functions = trial?.functions ?? systems.data?.[0]?.functions ?? [];
  const constants = Object.keys(trial?.params ?? {});
  const words = [...variables, ...functions.map((name) => `${name}(`), ...constants, "pi"];
  const fitted =
    fit.data && sameValues(fit.data, draft, constants) ? fit.data.trial.simulation : null;
  const numerals = draft.sides.flatMap((side, i) =>
    literals(side).map((literal, k) => ({ ...literal, i, k })),
  );
  return (
    <form
      className="panel grid gap-3"
      onKeyDown={(event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        if (event.key === "Enter") event.currentTarget.requestSubmit();
        const back = event.key === "z" && !event.shiftKey;
        if (!back && event.key !== "y" && event.key !== "Z") return;
        event.preventDefault();
        step({ do: back ? "undo" : "redo" });
      }}
      onSubmit={(event) => {
        event.preventDefault();
        submit.mutate();
      }}
    >
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2>Your law</h2>
        <span className="flex gap-1">
          <button
            type="button"
            className="chip"
            disabled={steps.past.length === 0}
            onClick={() => step({ do: "undo" })}
          >
            Undo
          </button>
          <button
            type="button"
            className="chip"
            disabled={steps.future.length === 0}
            onClick={() => step({ do: "redo" })}
          >
            Redo
          </button>
        </span>
      </div>
      {targets.map((target, i) => (
        <EquationField
          key={target}
          target={target}
          value={draft.sides[i] ?? ""}
          placeholder={i === 0 ? "-k*…" : ""}
          invalid={trial?.trial.parse.rejection != null}
          words={words}
          onChange={(text) => edit(i, text)}
          onComposing={setComposing}
          onRecall={recall}
          onField={(field) => {
            fields.current[i] = field;
          }}
          onFocus={() => {
            focused.current = i;
          }}
        />
      ))}
      <fieldset className="flex flex-wrap gap-1" aria-label="Insert">
        {[...variables, "t"].map((name) => (
          <button key={name} type="button" className="chip" onClick={() => insert(name)}>
            {name}
          </button>
        ))}
        {functions.map((name) => (
          <button key={name} type="button" className="chip" onClick={() => insert(`${name}(`)}>
            {name}
          </button>
        ))}
      </fieldset>
      <Verdict
        trial={trial}
        written={equation}
        config={config}
        onMeant={(slip, word) =>
          change({ ...draft, sides: draft.sides.map((side) => renamed(side, slip, word)) })
        }
      />
      {failed && <p className="text-xs text-danger">{failed.message}</p>}
      {trial && trial.trial.r2 !== null && (
        <Meter value={trial.trial.r2} best={episode.best_match} />
      )}
      {constants.map((name) => (
        <Slider
          key={name}
          name={name}
          unit={trial?.trial.parse.param_units[name]}
          value={draft.values[name] ?? 1}
          error={fitted?.errors?.[name]}
          onChange={(value) => set(name, value)}
        />
      ))}
      {numerals.length > 0 && (
        <details open={constants.length === 0}>
          <summary className="text-xs text-muted">Numbers in the text</summary>
          {numerals.map(({ i, k, value, at }) => (
            <Slider
              key={`${i} ${k}`}
              name={`${nth(k)}${targets.length > 1 ? ` in ${targets[i]}` : ""}, ${(draft.sides[i] ?? "").slice(at, at + 12)}`}
              value={value}
              onChange={(next) =>
                change(
                  {
                    ...draft,
                    sides: draft.sides.map((side, j) =>
                      j === i ? withLiteral(side, k, next) : side,
                    ),
                  },
                  `literal ${i} ${k}`,
                )
              }
            />
          ))}
        </details>
      )}
      <div className="flex flex-wrap gap-2">
        <button
          type="submit"
          className="button primary grow"
          disabled={submit.isPending || equation === ""}
        >
          Submit turn {turns.length + 1} of {config.max_turns}
        </button>
        <button
          type="button"
          className="button"
          disabled={fit.isPending || constants.length === 0}
          onClick={() => fit.mutate()}
        >
          {fit.isPending ? "Fitting" : "Fit constants"}
        </button>
      </div>
      {fit.data?.trial.simulation.fit !== undefined && fitted && <Fitted found={fit.data} />}
      {submit.data === null && (
        <p role="alert" className="text-warn">
          That is no law yet, so no turn was spent.
        </p>
      )}
      {(submit.error ?? fit.error) && <Failure error={submit.error ?? fit.error ?? new Error()} />}
      {last && (
        <Advice
          key={last.turn}
          findings={last.findings?.findings ?? []}
          turn={last.turn}
          isDone={(findings) =>
            mended(targets, last, findings).sides.join(";") === draft.sides.join(";")
          }
          onTake={(findings) => change(mended(targets, last, findings))}
        />
      )}
      {turns.length > 0 && (
        <details>
          <summary>Earlier laws</summary>
          <ol className="mt-2 grid gap-1">
            {turns.map((turn) => (
              <li key={turn.turn} className="flex items-baseline gap-2">
                <span className="text-xs text-muted">{share(turn.reward.match)}</span>
                <button
                  type="button"
                  className="min-w-0 truncate text-left font-mono text-xs underline"
                  title="Take this law up again"
                  onClick={() => change(draftOf(targets, turn))}
                >
                  {turn.equation}
                </button>
              </li>
            ))}
          </ol>
        </details>
      )}
    </form>
  );
}

const nth = (k: number) => ["first", "second", "third", "fourth", "fifth"][k] ?? `number ${k + 1}`;

const numbers = (found: Trial): Record<string, number> =>
  Object.fromEntries(
    Object.entries(found.params).flatMap(([name, value]): [string, number][] =>
      value === null ? [] : [[name, Number(value.toPrecision(6))]],
    ),
  );

/** Whether the sliders still stand where a fit has put them. */
const sameValues = (found: Trial, draft: Draft, constants: readonly string[]) =>
  constants.join() === Object.keys(found.params).join() &&
  Object.entries(numbers(found)).every(([name, value]) => draft.values[name] === value);

/** R² on the shown data, as it changes under the slider; the best turn so far as a mark. */
function Meter({ value, best }: { value: number; best: number }) {
  return (
    <div className="grid gap-1">
      <p className="flex justify-between">
        <span>
          Match on the data shown <strong data-testid="match">{value.toFixed(3)}</strong>
        </span>
        {best > 0 && <span className="text-xs text-muted">best turn {share(best)}</span>}
      </p>
      <div
        className="relative h-2 rounded"
        style={{ background: "var(--line)" }}
        aria-hidden="true"
      >
        <div
          className="h-2 rounded"
          style={{ width: `${100 * value}%`, background: "var(--match)" }}
        />
        {best > 0 && (
          <div
            className="absolute -top-1 h-4 w-0.5"
            style={{ left: `${100 * best}%`, background: "var(--ink)" }}
          />
        )}
      </div>
    </div>
  );
}

/** How a fit went. */
function Fitted({ found }: { found: Trial }) {
  const { fit, undetermined } = found.trial.simulation;
  return (
    <div role="status" className="text-xs">
      {fit === "converged" && <p>These constants fit the data shown best.</p>}
      {fit === "failed" && (
        <p className="text-warn">No constants were found with which this can be simulated.</p>
      )}
      {fit !== "converged" && fit !== "failed" && (
        <p className="text-warn">The constants were still improving when the search ended.</p>
      )}
      {(undetermined ?? []).map((group) => (
        <p key={group.join()} className="text-warn">
          {group.length > 1
            ? `The data cannot tell ${group.join(" and ")} apart.`
            : `${group[0]} changes nothing.`}
        </p>
      ))}
    </div>
  );
}

interface AdviceProps {
  findings: readonly Finding[];
  turn: number;
  /** Whether the draft is what these findings make of the turn's law. */
  isDone: (findings: readonly Finding[]) => boolean;
  onTake: (findings: Finding[]) => void;
}

/** What the verifier found wrong with the last turn: each mends its law when pressed. */
function Advice({ findings, turn, isDone, onTake }: AdviceProps) {
  const [last, setTaken] = useState<readonly Finding[]>([]);
  // Whoever went on writing has left the advice.
  const taken = last.length > 0 && isDone(last) ? last : [];
  if (findings.length === 0) return null;
  const take = (next: Finding[]) => {
    setTaken(next);
    onTake(next);
  };
  return (
    <fieldset className="grid gap-1">
      <legend className="text-xs text-muted">What turn {turn} lacks, by the verifier</legend>
      <div className="flex flex-wrap gap-1">
        {findings.map((finding) => {
          const on = taken.includes(finding);
          return (
            <button
              key={`${finding.kind} ${finding.target} ${finding.term}`}
              type="button"
              className="chip font-mono"
              aria-pressed={on}
              title={`${finding.target}, ± ${finding.error.toPrecision(2)}`}
              onClick={() =>
                take(on ? taken.filter((one) => one !== finding) : [...taken, finding])
              }
            >
              {on && "✓ "}
              {advice(finding)}
            </button>
          );
        })}
        {findings.length > 1 && taken.length < findings.length && (
          <button type="button" className="chip" onClick={() => take([...findings])}>
            All of it
          </button>
        )}
      </div>
    </fieldset>
  );
}

/** Where to go from here. */
function Next({ episode }: { episode: EpisodeView }) {
  const go = useNavigate();
  const { task, system_id, config } = episode;
  const sampled = !task.measured && system_id !== "csv";
  const another = useMutation({
    mutationFn: () =>
      api.start({
        system_id,
        seed: Math.floor(Math.random() * 1e6),
        max_turns: config.max_turns,
      }),
    onSuccess: (next) => go({ to: "/manual/$episodeId", params: { episodeId: next.episode_id } }),
  });
  return (
    <div className="flex flex-wrap items-center gap-2">
      {sampled && (
        <button
          type="button"
          className="button"
          disabled={another.isPending}
          onClick={() => another.mutate()}
        >
          New task, same system
        </button>
      )}
      <Link to="/manual" className="button no-underline">
        New task
      </Link>
      {another.error && <Failure error={another.error} />}
    </div>
  );
}
