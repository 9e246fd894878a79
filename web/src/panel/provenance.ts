import type { EpisodeState } from "../episode/reduce";
import type { TurnView } from "../episode/types";
import { figure } from "../viz";

/** Where what is shown comes from: enough to play the same episode again. */
export function provenance(episode: EpisodeState, turn: TurnView | null): string[] {
  const started = episode.started;
  if (!started) return [];
  const { task, policy, config, engine_version: engine, fingerprint } = started.payload;
  const when = (text: string) => new Date(text).toLocaleString();
  return [
    task.system_id,
    `seed ${task.seed ?? "none"}`,
    `policy ${policy}${turn?.provenance.model ? ` (${turn.provenance.model})` : ""}`,
    `profile ${config.verifier?.profile}`,
    `odeint at tolerance ${figure(config.verifier?.rtol ?? 0, 1)}`,
    `engine ${engine}${fingerprint.scipy ? ` with SciPy ${fingerprint.scipy}` : ""}`,
    `${episode.version} events`,
    `first ${when(started.recorded_at)}`,
    ...(episode.updatedAt ? [`last ${when(episode.updatedAt)}`] : []),
  ];
}

/** A hypothesis with its constants, in a line of plain text. */
export function lawOf(turn: TurnView): string {
  const constants = Object.entries({ ...turn.params, ...turn.simulation.fitted });
  const told = constants.map(
    ([name, value]) => `${name} = ${value === null ? "?" : figure(value, 4)}`,
  );
  return [turn.parse.canonical ?? turn.equation, ...told].join("; ");
}
