import { useMutation, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { api } from "../../api/client";
import type { EpisodeView, Preview, Task } from "../../episode/types";
import { Failure } from "../../shared/parts";
import { statesOf, Typeset } from "../../viz";
import { figure, unit as written } from "../../viz/format";

const IDLE_MS = 200;

interface Props {
  id: string;
  /** What the typed hypothesis would do, drawn as a preview; null while there is none. */
  onPreview: (preview: { label: string; states: number[][] } | null) => void;
}

/** A hypothesis typed by a person: verdict and preview while typing, one turn when submitted. */
export default function HypothesisForm({ id, onPreview }: Props) {
  const stored = useQuery({ queryKey: ["episode", id, "form"], queryFn: () => api.episode(id) });
  if (stored.error) return <Failure error={stored.error} again={() => stored.refetch()} />;
  if (!stored.data) return <div className="panel" aria-busy="true" style={{ minHeight: 400 }} />;
  return <Form id={id} onPreview={onPreview} episode={stored.data} />;
}

function Form({ id, onPreview, episode }: Props & { episode: EpisodeView }) {
  const systems = useQuery({ queryKey: ["systems"], queryFn: api.systems });
  const { task } = episode;
  const last = episode.turns.at(-1);
  const targets = useMemo(() => episode.targets.map(({ left }) => left), [episode.targets]);
  const [sides, setSides] = useState<string[]>(() => sidesOf(targets, last?.equation ?? ""));
  const [values, setValues] = useState<Record<string, number>>(() => known(last?.params ?? {}));
  const [past, setPast] = useState<string[][]>(() =>
    episode.turns.map((turn) => sidesOf(targets, turn.equation)),
  );
  const [place, setPlace] = useState<number | null>(null);
  const composing = useRef(false);
  const fields = useRef<(HTMLInputElement | null)[]>([]);
  const focused = useRef(0);

  const equation = targets
    .map((target, i) => `${target} = ${sides[i] ?? ""}`)
    .filter((_, i) => (sides[i] ?? "").trim() !== "")
    .join("; ");
  const functions = systems.data?.[0]?.functions ?? [];
  const names = parametersIn(sides.join(" "), task, functions);
  const params = Object.fromEntries(names.map((name) => [name, values[name] ?? 1]));
  const [preview, setPreview] = useState<Preview | null>(null);
  const key = JSON.stringify([equation, params]);

  useEffect(() => {
    const [text, numbers]: [string, Record<string, number>] = JSON.parse(key);
    if (text === "") {
      setPreview(null);
      onPreview(null);
      return;
    }
    let wanted = true;
    const timer = setTimeout(async () => {
      // Half a composed character is no text yet.
      if (composing.current) return;
      try {
        const found = await api.preview(id, { equation: text, params: numbers });
        if (!wanted) return;
        setPreview(found);
        const states = statesOf(found.simulation);
        onPreview(states.length > 0 ? { label: "preview", states } : null);
      } catch {
        // The verdict is a help, not the judgement: submitting says what is wrong.
      }
    }, IDLE_MS);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [id, key, onPreview]);

  const submit = useMutation({
    mutationFn: () => api.step(id, { equation, params }),
    onSuccess: () => {
      setPast((all) => [...all, sides]);
      setPlace(null);
      onPreview(null);
    },
  });

  const edit = (i: number, text: string) => {
    setPlace(null);
    setSides((all) => all.map((side, j) => (j === i ? text : side)));
  };
  const recall = (direction: number) => {
    const to = (place ?? past.length) + direction;
    const sidesThere = past[to];
    if (sidesThere) {
      setPlace(to);
      setSides(sidesThere);
    }
  };
  const insert = (text: string) => {
    const field = fields.current[focused.current] ?? fields.current[0];
    if (!field) return;
    const i = fields.current.indexOf(field);
    const [from, to] = [field.selectionStart ?? 0, field.selectionEnd ?? 0];
    const side = sides[i] ?? "";
    edit(i, side.slice(0, from) + text + side.slice(to));
    field.focus();
  };
  const { rejection } = preview?.parse ?? {};
  return (
    <form
      className="panel grid gap-3"
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey))
          event.currentTarget.requestSubmit();
      }}
      onSubmit={(event) => {
        event.preventDefault();
        submit.mutate();
      }}
    >
      {targets.map((target, i) => (
        <label key={target}>
          <code>{target} =</code>
          <input
            ref={(field) => {
              fields.current[i] = field;
            }}
            className="field font-mono"
            spellCheck={false}
            autoComplete="off"
            autoCapitalize="off"
            placeholder={i === 0 ? "-k*…" : ""}
            aria-describedby="verdict"
            aria-invalid={rejection != null}
            value={sides[i] ?? ""}
            onFocus={() => {
              focused.current = i;
            }}
            onCompositionStart={() => {
              composing.current = true;
            }}
            onCompositionEnd={(event) => {
              composing.current = false;
              edit(i, event.currentTarget.value);
            }}
            onChange={(event) => edit(i, event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "ArrowUp" || event.key === "ArrowDown") {
                event.preventDefault();
                recall(event.key === "ArrowUp" ? -1 : 1);
              }
            }}
          />
        </label>
      ))}
      <fieldset className="flex flex-wrap gap-1" aria-label="Insert">
        {[...task.variables.map((variable) => variable.name), "t"].map((name) => (
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
      <div id="verdict" aria-live="polite" className="grid gap-1" style={{ minHeight: 64 }}>
        {preview && rejection && (
          <Verdict equation={equation} column={rejection.column} message={rejection.message} />
        )}
        {preview && !rejection && (
          <>
            <Typeset latex={preview.parse.latex ?? ""} source={equation} of="the preview" />
            <p className="text-xs text-muted">
              {preview.parse.operators} operators. {preview.parse.units_message}
              {preview.simulation.outcome !== "ok" && ` ${preview.simulation.message}`}
            </p>
          </>
        )}
        {!preview && (
          <p className="text-xs text-muted">
            Write the right side of each equation. Any other name is a parameter and gets a slider.
          </p>
        )}
      </div>
      {names.map((name) => (
        <Slider
          key={name}
          name={name}
          unit={preview?.parse.param_units[name]}
          value={values[name] ?? 1}
          onChange={(value) => setValues((all) => ({ ...all, [name]: value }))}
        />
      ))}
      <button
        type="submit"
        className="button primary"
        disabled={submit.isPending || equation === ""}
      >
        Submit
      </button>
      {submit.error && <Failure error={submit.error} />}
    </form>
  );
}

interface VerdictProps {
  equation: string;
  column: number;
  message: string;
}

/** Why the text is no hypothesis, with the offending column underlined. */
function Verdict({ equation, column, message }: VerdictProps) {
  return (
    <>
      <pre className="overflow-x-auto whitespace-pre-wrap">
        {equation.slice(0, Math.max(0, column - 1))}
        <u style={{ textDecorationColor: "var(--danger)", textDecorationThickness: 2 }}>
          {equation.slice(Math.max(0, column - 1), column) || " "}
        </u>
        {equation.slice(column)}
      </pre>
      <p className="text-danger">{message}</p>
    </>
  );
}

interface SliderProps {
  name: string;
  unit: string | undefined;
  value: number;
  onChange: (value: number) => void;
}

/** From nothing to three times the value it had when taken hold of, or both ways from zero. */
function Slider({ name, unit, value, onChange }: SliderProps) {
  const [around, setAround] = useState(value);
  const [low, high] = around === 0 ? [-1, 1] : around > 0 ? [0, 3 * around] : [3 * around, 0];
  return (
    <div className="grid grid-cols-[auto_1fr_6rem] items-center gap-2">
      <span>
        <code>{name}</code>
        {unit && unit !== "1" && <span className="text-xs text-muted"> {written(unit)}</span>}
      </span>
      <input
        type="range"
        aria-label={`${name}, slider`}
        aria-valuetext={figure(value, 4)}
        style={{ accentColor: "var(--trained)", minHeight: 24, minWidth: 0 }}
        min={low}
        max={high}
        step={(high - low) / 300}
        value={value}
        onChange={(event) => onChange(Number(event.target.valueAsNumber.toPrecision(5)))}
        onPointerUp={() => setAround(value)}
        onBlur={() => setAround(value)}
      />
      <input
        type="number"
        aria-label={name}
        className="field"
        step="any"
        value={value}
        onChange={(event) => {
          if (Number.isFinite(event.target.valueAsNumber)) {
            onChange(event.target.valueAsNumber);
            setAround(event.target.valueAsNumber);
          }
        }}
      />
    </div>
  );
}

/** The right side of each target in an equation's text, "" where it has none. */
export function sidesOf(targets: string[], equation: string): string[] {
  const given = new Map(
    equation.split(";").map((part): [string, string] => {
      const [left = "", right = ""] = part.split("=", 2);
      return [left.trim(), right.trim()];
    }),
  );
  return targets.map((target) => given.get(target) ?? "");
}

/** Names in a text that are no variable, function or constant of the language: its parameters. */
export function parametersIn(text: string, task: Task, functions: readonly string[]): string[] {
  const taken = new Set([
    ...task.variables.map((variable) => variable.name),
    ...functions,
    "t",
    "pi",
  ]);
  // A letter right behind a digit is an exponent: 1e3.
  const found = text.match(/(?<![\w.])[A-Za-z_]\w*/g) ?? [];
  return [...new Set(found)].filter((name) => !taken.has(name));
}

const known = (params: Record<string, number | null>) =>
  Object.fromEntries(
    Object.entries(params).flatMap(([name, value]): [string, number][] =>
      value === null ? [] : [[name, value]],
    ),
  );
