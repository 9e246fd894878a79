import type {
  Asked,
  Comparison,
  Demo,
  DemoEpisodes,
  EpisodePage,
  EpisodeView,
  PolicyInfo,
  Preview,
  RunMetrics,
  RunSummary,
  SystemInfo,
} from "../episode/types";
import { bundled, bundledFile } from "./bundle";

/** A problem document (RFC 9457), or the bare status where the server sent none. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    detail: string,
  ) {
    super(detail);
  }
}

async function request<T>(path: string, body?: object): Promise<T> {
  const place = bundled ? bundledFile(path) : path;
  if (place === null)
    throw new ApiError(404, "Not in this folder", "This copy of the page has no server.");
  const response = await fetch(place, {
    headers: { accept: "application/json", "content-type": "application/json" },
    ...(body && { method: "POST", body: JSON.stringify(body) }),
  });
  if (response.ok) return response.json();
  const problem: { title?: string; detail?: string } = await response.json().catch(() => ({}));
  throw new ApiError(
    response.status,
    problem.title ?? "The server did not answer as expected",
    problem.detail ?? `HTTP ${response.status}`,
  );
}

export interface NewSession {
  system_id?: string;
  seed?: number;
  max_turns: number;
  policy?: string;
  csv?: string;
  hint?: string;
}

export interface EpisodeQuery {
  q?: string;
  system?: string;
  policy?: string;
  outcome?: string;
  tier?: number;
  run?: string;
  step?: string;
  sort?: string;
  cursor?: string;
  limit?: number;
}

export type Drive = "llm-step" | "run" | "pause" | "abandon";

const at = (id: string) => encodeURIComponent(id);

export const api = {
  systems: () => request<SystemInfo[]>("/api/systems"),
  policies: () => request<PolicyInfo[]>("/api/policies"),
  episode: (id: string) => request<EpisodeView>(`/api/episodes/${at(id)}`),
  episodes: (query: EpisodeQuery) => {
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(query))
      if (value !== undefined) search.set(key, String(value));
    return request<EpisodePage>(`/api/episodes?${search}`);
  },
  compare: (session: Omit<NewSession, "policy"> & { policies: string[] }) =>
    request<Comparison>("/api/comparisons", session),
  comparison: (id: string) => request<Comparison>(`/api/comparisons/${at(id)}`),
  demos: () => request<Demo[]>("/api/demos"),
  demo: (id: string) => request<DemoEpisodes>(`/api/demos/${at(id)}`),
  runs: () => request<{ items: RunSummary[] }>("/api/runs"),
  run: (id: string) => request<RunMetrics>(`/api/runs/${at(id)}/metrics?limit=500`),
  start: (session: NewSession) => request<EpisodeView>("/interactive/sessions", session),
  step: (id: string, hypothesis: { equation: string; params: Record<string, number> }) =>
    request<EpisodeView>(`/interactive/sessions/${at(id)}/step`, hypothesis),
  preview: (id: string, hypothesis: { equation: string; params: Record<string, number> }) =>
    request<Preview>(`/interactive/sessions/${at(id)}/preview`, hypothesis),
  fork: (id: string, turn: number) =>
    request<EpisodeView>(`/interactive/sessions/${at(id)}/fork`, { turn, policy: "you" }),
  prompt: (id: string, turn: number) =>
    request<Asked>(`/api/episodes/${at(id)}/turns/${turn}/prompt`),
  drive: (id: string, action: Drive, how: { policy?: string; temperature?: number } = {}) =>
    request<EpisodeView>(`/interactive/sessions/${at(id)}/${action}`, how),
};
