import { skipToken, useMutation, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api } from "../../api/client";
import type { Measurements } from "../../episode/types";
import { DROPPED } from "../../shared/kept";
import { Failure, Loading } from "../../shared/parts";
import { axisName, figure } from "../../viz/format";
import { type Layer, Plot } from "../../viz/Plot";
import { Columns } from "./Columns";
import { Options, type Wishes } from "./Options";
import { Problems } from "./Problems";
import { base64, dialect, type Given, hasErrors } from "./reading";

const MOST_BYTES = 6_000_000; // as base64 just within what the server takes

interface Props {
  onStarted: (id: string, byHand: boolean) => void;
}

/** Measurements: looked at before anything runs, every column with a role and a unit. */
export default function Data({ onStarted }: Props) {
  const { data: dropped } = useQuery<File>({
    queryKey: DROPPED,
    queryFn: skipToken,
    gcTime: Number.POSITIVE_INFINITY,
  });
  const [file, setFile] = useState<File | undefined>(dropped);
  useEffect(() => {
    if (dropped) setFile(dropped);
  }, [dropped]);
  if (!file) return <Choose onFile={setFile} />;
  return (
    <Looked
      key={`${file.name} ${file.size} ${file.lastModified}`}
      file={file}
      onFile={setFile}
      onStarted={onStarted}
    />
  );
}

/** The way in: a file, or text from the clipboard. */
function Choose({ onFile }: { onFile: (file: File | undefined) => void }) {
  const [text, setText] = useState("");
  return (
    <div className="panel grid max-w-3xl gap-4">
      <p>
        Any table of measurements: from a spreadsheet, a video analysis, a data logger, a scope.
        Commas, semicolons or tabs, decimal commas, units in the header, several runs. Nothing runs
        before you have seen how it was read.
      </p>
      <label>
        A file: choose it, or drop it anywhere on the page
        <input
          className="field"
          type="file"
          onChange={(event) => onFile(event.target.files?.[0])}
        />
      </label>
      <label>
        Or paste a table
        <textarea
          className="field font-mono"
          rows={6}
          placeholder={"t (s), height (m)\n0.00, 2.00\n0.03, 1.99"}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      <button
        type="button"
        className="button justify-self-start"
        disabled={text.trim() === ""}
        onClick={() => onFile(new File([text], "pasted table"))}
      >
        Look at it
      </button>
    </div>
  );
}

interface LookedProps extends Props {
  file: File;
  onFile: (file: File | undefined) => void;
}

function Looked({ file, onFile, onStarted }: LookedProps) {
  const [given, setGiven] = useState<Given>({});
  const [wishes, setWishes] = useState<Wishes>({
    title: file.name.replace(/\.[^.]*$/, ""),
    hint: "",
    holdBack: null,
    second: null,
  });
  const body = async () => ({
    csv_base64: await base64(file),
    roles: { ...given },
    ...(wishes.holdBack !== null && !wishes.second && { hold_back: wishes.holdBack }),
    ...(wishes.second && { held_back_csv: await wishes.second.text() }),
    title: wishes.title,
    hint: wishes.hint,
  });
  const tooLarge = file.size > MOST_BYTES;
  const read = useQuery({
    queryKey: [
      "measurements",
      [file.name, file.size, file.lastModified],
      given,
      wishes.holdBack,
      wishes.second && [wishes.second.name, wishes.second.size, wishes.second.lastModified],
    ],
    queryFn: async () => api.check(await body()),
    placeholderData: (before) => before,
    enabled: !tooLarge,
    retry: false,
  });
  const lines = useQuery({
    queryKey: ["lines", file.name, file.size, file.lastModified],
    queryFn: async () => (await file.text()).split(/\r\n|\r|\n/),
    enabled: !tooLarge,
  });
  const start = useMutation({
    mutationFn: async ({ policy, ...rules }: Parameters<NonNullable<OnStart>>[0]) => {
      const begun = await api.start({ ...(await body()), ...rules, policy });
      if (policy !== "you") await api.play(begun.episode_id, { policy });
      return { id: begun.episode_id, byHand: policy === "you" };
    },
    onSuccess: ({ id, byHand }) => onStarted(id, byHand),
  });
  const again = (
    <button type="button" className="button" onClick={() => onFile(undefined)}>
      Another file
    </button>
  );
  if (tooLarge)
    return (
      <div className="panel grid gap-3">
        <p className="text-danger">
          {file.name} has {(file.size / 1e6).toFixed(1)} MB; the page takes up to 6. The terminal
          takes 64: <code>physix run --csv FILE</code>.
        </p>
        {again}
      </div>
    );
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[320px_minmax(0,1fr)]">
      <div className="grid gap-4">
        <section className="panel grid gap-2" aria-label="The file">
          <div className="flex flex-wrap items-center justify-between gap-2">
            <h2 className="min-w-0 truncate">{file.name}</h2>
            {again}
          </div>
          {read.data && <p className="text-muted">{dialect(read.data)}</p>}
        </section>
        <Options
          wishes={wishes}
          onWishes={setWishes}
          read={read.data}
          ready={read.data !== undefined && !hasErrors(read.data) && !read.isFetching}
          starting={start.isPending}
          onStart={(rules) => start.mutate(rules)}
        />
        {start.error && <Failure error={start.error} />}
      </div>
      <div className="grid gap-4">
        {read.error && <Failure error={read.error} again={() => read.refetch()} />}
        {!read.data && !read.error && <Loading what="the file" height={400} />}
        {read.data && (
          <>
            <Problems problems={read.data.problems} lines={lines.data ?? []} />
            <Columns read={read.data} given={given} onGiven={setGiven} />
            <Motions read={read.data} />
          </>
        )}
      </div>
    </div>
  );
}

type OnStart = Parameters<typeof Options>[0]["onStart"];

const COLOURS = ["var(--trained)", "var(--untrained)", "var(--residual)", "var(--match)"];

/** What the law will be held against: every variable and input over time, every run. */
function Motions({ read }: { read: Measurements }) {
  const { variables = [], inputs = [], shown = [] } = read;
  if (shown.length === 0) return null;
  const time = `t${read.time_unit ? ` (${read.time_unit})` : ""}`;
  const drawn = [
    ...variables.map((one, i) => ({ one, of: "states" as const, i, estimated: one.estimated })),
    ...inputs.map((one, i) => ({ one, of: "inputs" as const, i, estimated: false })),
  ];
  return (
    <section className="panel grid gap-3" aria-label="Motions">
      <div className="flex flex-wrap items-baseline justify-between gap-2">
        <h2>What the law has to explain</h2>
        <span className="text-muted">
          {read.rows} rows shown{shown.length > 1 && ` in ${shown.length} runs`},{" "}
          {read.held_back_rows ? `${read.held_back_rows} held back` : "none held back"}
        </span>
      </div>
      {!read.held_back_rows && (
        <p className="text-warn">
          With nothing held back a law can fit these rows, but nothing says that it carries over.
        </p>
      )}
      <div className="grid gap-4 md:grid-cols-2">
        {drawn.map(({ one, of, i, estimated }) => {
          const layers = shown.slice(0, 8).map(
            (run, k): Layer => ({
              name: `run ${k + 1}`,
              kind: estimated ? "line" : "points",
              x: run.t,
              y: (run[of] ?? []).map((row) => row[i] ?? Number.NaN),
              colour: shown.length === 1 ? "var(--observed)" : (COLOURS[k % 4] ?? ""),
              dashed: estimated,
            }),
          );
          return (
            <div key={one.name}>
              <Plot
                height={160}
                x={time}
                y={axisName(one)}
                layers={layers}
                label={`${one.label ?? one.name} over time, ${shown.length === 1 ? "one run" : `${shown.length} runs`}`}
              />
              <p className="text-xs text-muted">
                {of === "inputs"
                  ? "input, given at every time"
                  : estimated
                    ? "rate of change, estimated: a starting guess that is never scored"
                    : noiseOf(read, i)}
              </p>
            </div>
          );
        })}
      </div>
    </section>
  );
}

function noiseOf(read: Measurements, i: number): string {
  const noise = read.noises?.[i];
  if (!noise) return "";
  const parts = [
    noise.absolute > 0 && figure(noise.absolute, 2),
    noise.relative > 0 && `${figure(100 * noise.relative, 2)} %`,
  ].filter((part) => part !== false);
  return parts.length > 0 ? `noise about ${parts.join(" and ")}` : "no noise to speak of";
}
