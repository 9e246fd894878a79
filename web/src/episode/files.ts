import type { EpisodeEvent, StateVariable, Target } from "./types";

/** One line of an export, as `physix log export` writes it. */
interface Line {
  episode_id: string;
  version: number;
  recorded_at: string;
  type: EpisodeEvent["type"];
  schema_version: number;
  payload: string;
  blob: string | null;
}

export const FORMAT = "physix-log/1";
/** The newest schema of events that the page reads; a test holds it to the server's. */
export const NEWEST_SCHEMA = 4;
const MAX_BYTES = 64 * 2 ** 20;

/** A file that cannot be shown; the message says what was wrong and what would be right. */
export class FileError extends Error {}

export interface LocalEpisodes {
  name: string;
  ids: string[];
  events: EpisodeEvent[];
}

/** Reads an exported JSONL file: the same events, through the same reducer, as from the server. */
export async function readExport(name: string, file: Blob): Promise<LocalEpisodes> {
  if (file.size > MAX_BYTES)
    throw new FileError(
      `${name} has ${Math.round(file.size / 2 ** 20)} MB; the page reads up to 64.`,
    );
  const text = await file.text();
  const lines = text.split("\n").filter((line) => line !== "");
  const head = parsed(name, lines[0] ?? "", 1);
  if (typeof head !== "object" || head === null || !("format" in head))
    throw new FileError(
      `${name} is no export: its first line names no format. \`physix log export FILE\` writes one.`,
    );
  if (head.format !== FORMAT)
    throw new FileError(`${name} is of format ${String(head.format)}; this page reads ${FORMAT}.`);
  const tail = parsed(name, lines.at(-1) ?? "", lines.length);
  if (typeof tail !== "object" || tail === null || !("sha256" in tail))
    throw new FileError(`${name} was cut off: its last line is no checksum.`);
  await check(name, text, lines.at(-1) ?? "", String(tail.sha256));
  const events = lines.slice(1, -1).map((line, i) => eventOf(name, line, i));
  const ids = [...new Set(events.map((event) => event.episode_id))];
  if (ids.length === 0) throw new FileError(`${name} holds no episode.`);
  return { name, ids, events };
}

async function check(name: string, text: string, tail: string, sha256: string): Promise<void> {
  // Only a secure origin has this; elsewhere the file is shown unchecked, as it is marked anyway.
  if (!globalThis.crypto?.subtle) return;
  const body = text.slice(0, text.lastIndexOf(tail));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(body));
  const found = [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("");
  if (found !== sha256)
    throw new FileError(`${name} was changed after it was exported: its checksum does not fit.`);
}

function parsed(name: string, line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new FileError(`${name}, line ${number}, is no JSON.`);
  }
}

function eventOf(name: string, text: string, index: number): EpisodeEvent {
  const line = parsed(name, text, index + 2) as Line;
  if (line.schema_version > NEWEST_SCHEMA)
    throw new FileError(
      `${name} was recorded with a newer format (schema ${line.schema_version}); update PhysiX-Live.`,
    );
  const payload = JSON.parse(line.payload);
  const arrays = line.blob === null ? [] : unpack(line.blob);
  const event = {
    episode_id: line.episode_id,
    version: line.version,
    position: index + 1,
    recorded_at: line.recorded_at,
    type: line.type,
    // A file holds what happened; how an episode stands is the server's to say.
    standing: null,
    payload: { type: line.type, ...complete(line.type, payload, arrays) },
  };
  return event as EpisodeEvent;
}

/** Puts back what the log leaves out: fields that equal their default, and the trajectories. */
// biome-ignore lint/suspicious/noExplicitAny: what a file holds has no type before it is looked at
function complete(type: string, payload: any, arrays: number[][][]): object {
  switch (type) {
    case "EpisodeStarted": {
      const states = 1 + payload.task.variables.length;
      const inputs = states + (payload.task.inputs ?? []).length;
      const shown = arrays.map((rows, k) => ({
        t: rows.map((row) => row[0] ?? 0),
        states: rows.map((row) => row.slice(1, states)),
        inputs: inputs > states ? rows.map((row) => row.slice(states, inputs)) : [],
        sigma: (rows[0] ?? []).length > inputs ? rows.map((row) => row.slice(inputs)) : [],
        missing: payload.task.shown?.[k]?.missing ?? [],
      }));
      // The truth stays in the file: a page that shows a race shows no answer.
      const { truth: _, ...rest } = payload;
      const task = {
        inputs: [],
        measured: false,
        noises: [],
        ...payload.task,
        shown: shown.length > 0 ? shown : payload.task.shown,
      };
      return {
        labels: {},
        forked_from: null,
        comparison_id: null,
        carried_to: null,
        ...rest,
        task,
        targets: targetsOf(task.variables),
      };
    }
    case "HypothesisSubmitted":
      return {
        raw_completion: null,
        discovery: null,
        ...payload,
        provenance: {
          model: null,
          sampling: {},
          latency_s: null,
          prompt_tokens: null,
          completion_tokens: null,
          prompt_sha256: null,
          prompt_version: null,
          ...payload.provenance,
        },
        parse: { rejection: null, units_message: "Units are consistent.", ...payload.parse },
      };
    case "SimulationRun":
      return {
        ...payload,
        simulation: {
          message: "The hypothesis was integrated over all observed times.",
          fitted: {},
          fit: null,
          fit_evaluations: 0,
          starts: [],
          errors: {},
          undetermined: [],
          ...payload.simulation,
          predictions:
            arrays.length > 0
              ? arrays.map((states) => ({ states }))
              : (payload.simulation.predictions ?? []),
        },
      };
    case "RewardComputed":
      return { match_dense: null, passed: false, ...payload, correctness: null };
    default:
      return payload;
  }
}

/** What a server says of a task's equations: which derivative each gives, and what it is called. */
function targetsOf(variables: readonly Pick<StateVariable, "name" | "rate_of">[]): Target[] {
  return variables.flatMap(({ name, rate_of }) => {
    if (rate_of !== null) return [];
    const rate = variables.find((other) => other.rate_of === name);
    return rate
      ? [{ variable: name, order: 2, driven: rate.name, left: `d2${name}/dt2` }]
      : [{ variable: name, order: 1, driven: name, left: `d${name}/dt` }];
  });
}

/** The arrays of a blob that belong to what is shown; see docs/event-log.md for the layout. */
export function unpack(base64: string): number[][][] {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const shown = view.getUint32(0, true);
  const total = view.getUint32(4, true);
  let offset = 8 + 8 * total;
  const arrays: number[][][] = [];
  for (let k = 0; k < total; k++) {
    const rows = view.getUint32(8 + 8 * k, true);
    const columns = view.getUint32(12 + 8 * k, true);
    const array: number[][] = [];
    for (let i = 0; i < rows; i++) {
      const row: number[] = [];
      for (let j = 0; j < columns; j++) {
        row.push(view.getFloat64(offset, true));
        offset += 8;
      }
      array.push(row);
    }
    arrays.push(array);
  }
  return arrays.slice(0, shown);
}
