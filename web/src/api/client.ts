import createClient from "openapi-fetch";
import { bundled, bundledFile } from "./bundle";
import type { components, paths } from "./schema";
import { SERVER } from "./server";

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

type Schemas = components["schemas"];
type Query = NonNullable<paths["/api/episodes"]["get"]["parameters"]["query"]>;
type Hypothesis = Schemas["HypothesisBody"];
export type Drive = "llm-step" | "run" | "pause" | "abandon";

/** Reads the files beside a bundled page, which has no server. */
async function fromFolder(request: Request): Promise<Response> {
  const place = bundledFile(request.url);
  if (place === null)
    throw new ApiError(404, "Not in this folder", "This copy of the page has no server.");
  return fetch(place);
}

const client = createClient<paths>({ baseUrl: SERVER, ...(bundled && { fetch: fromFolder }) });

const text = (value: unknown, key: string): string | undefined => {
  const found: unknown =
    typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  return typeof found === "string" ? found : undefined;
};

/** The answer of a call, or its problem as an error. */
async function answer<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await call;
  if (data !== undefined) return data;
  throw new ApiError(
    response.status,
    text(error, "title") ?? "The server did not answer as expected",
    text(error, "detail") ?? `HTTP ${response.status}`,
  );
}

const episode = (episode_id: string) => ({ params: { path: { episode_id } } });

/** Where some finished episodes can be downloaded as they are logged. */
export const exportAddress = (ids: string[]) =>
  `${SERVER}/api/episodes/export?${ids.map((id) => `episode=${encodeURIComponent(id)}`).join("&")}`;

export const api = {
  systems: () => answer(client.GET("/api/systems")),
  policies: () => answer(client.GET("/api/policies")),
  episode: (id: string) => answer(client.GET("/api/episodes/{episode_id}", episode(id))),
  episodes: (query: Query) => answer(client.GET("/api/episodes", { params: { query } })),
  compare: (body: Schemas["NewComparison"]) => answer(client.POST("/api/comparisons", { body })),
  comparison: (comparison_id: string) =>
    answer(client.GET("/api/comparisons/{comparison_id}", { params: { path: { comparison_id } } })),
  demos: () => answer(client.GET("/api/demos")),
  demo: (demo_id: string) =>
    answer(client.GET("/api/demos/{demo_id}", { params: { path: { demo_id } } })),
  runs: () => answer(client.GET("/api/runs")),
  run: (run_id: string) =>
    answer(
      client.GET("/api/runs/{run_id}/metrics", {
        params: { path: { run_id }, query: { limit: 500 } },
      }),
    ),
  start: (body: Schemas["NewSession"]) => answer(client.POST("/interactive/sessions", { body })),
  step: (id: string, body: Hypothesis) =>
    answer(client.POST("/interactive/sessions/{episode_id}/step", { ...episode(id), body })),
  trial: (id: string, body: Schemas["TrialBody"]) =>
    answer(client.POST("/interactive/sessions/{episode_id}/try", { ...episode(id), body })),
  elsewhere: (id: string, body: Schemas["StartBody"]) =>
    answer(client.POST("/api/episodes/{episode_id}/elsewhere", { ...episode(id), body })),
  fork: (id: string, turn: number) =>
    answer(
      client.POST("/interactive/sessions/{episode_id}/fork", {
        ...episode(id),
        body: { turn, policy: "you" },
      }),
    ),
  simplify: (law: string) => answer(client.POST("/api/laws/simplify", { body: { law } })),
  prompt: (episode_id: string, turn: number) =>
    answer(
      client.GET("/api/episodes/{episode_id}/turns/{turn}/prompt", {
        params: { path: { episode_id, turn } },
      }),
    ),
  play: (id: string, body: Schemas["PolicyBody"]) =>
    answer(client.POST("/interactive/sessions/{episode_id}/run", { ...episode(id), body })),
  drive: (id: string, action: Drive) => answer(DRIVES[action](id)),
};

// One address a word: the document knows each by its own type.
const DRIVES = {
  "llm-step": (id: string) =>
    client.POST("/interactive/sessions/{episode_id}/llm-step", episode(id)),
  run: (id: string) => client.POST("/interactive/sessions/{episode_id}/run", episode(id)),
  pause: (id: string) => client.POST("/interactive/sessions/{episode_id}/pause", episode(id)),
  abandon: (id: string) => client.POST("/interactive/sessions/{episode_id}/abandon", episode(id)),
};
