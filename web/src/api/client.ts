import createClient from "openapi-fetch";
import type { EpisodeEvent } from "../episode/types";
import { bundled, bundledFile } from "./bundle";
import { answered, lost, reachOf, waitFor } from "./reach";
import type { components, paths } from "./schema";
import { SERVER } from "./server";
import { touch } from "./touched";
import { whatOf } from "./waits";

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
export type NewBoard = Schemas["NewBoard"];
export type NewSession = Schemas["NewSession"];
type Drive = "llm-step" | "run" | "pause" | "abandon";
type DriveAll = "run" | "pause" | "abandon";

/** Reads the files beside a bundled page, which has no server. */
async function fromFolder(request: Request): Promise<Response> {
  const place = bundledFile(request.url);
  if (place === null)
    throw new ApiError(404, "Not in this folder", "This copy of the page has no server.");
  return fetch(place);
}

const NOT_SENT = "The server cannot be reached, so nothing was sent. Try again when it is back.";

/**
 * Asks the server. What would change something is refused at once while the server is away, and never sent later by
 * itself; whoever waits long is told what for.
 */
async function fromServer(request: Request): Promise<Response> {
  const writes = request.method !== "GET";
  if (writes && (!reachOf().reachable || !navigator.onLine))
    throw new ApiError(0, "Not sent", NOT_SENT);
  const done = waitFor(whatOf(request.method, new URL(request.url).pathname));
  try {
    const response = await fetch(request);
    answered();
    return response;
  } catch (error) {
    if (request.signal.aborted) throw error;
    lost();
    if (writes)
      throw new ApiError(
        0,
        "Not answered",
        "The connection broke: the server may not have got this.",
      );
    throw new ApiError(0, "Disconnected", "The server cannot be reached.");
  } finally {
    done();
  }
}

const client = createClient<paths>({
  baseUrl: SERVER,
  fetch: bundled ? fromFolder : fromServer,
});

/** The events of an episode after a version. */
export const readEvents = (episode_id: string, after: number): Promise<EpisodeEvent[]> =>
  answer(
    client.GET("/api/episodes/{episode_id}/events.json", {
      params: { path: { episode_id }, query: { after } },
    }),
  );

/** Tells of an episode that was acted on, as it now stands. */
async function acted<T extends { episode_id: string; driven: boolean }>(
  call: Promise<T>,
): Promise<T> {
  const view = await call;
  touch(view.episode_id, view.driven);
  return view;
}

/** Tells of all members of a comparison that was acted on. */
async function actedOnAll(
  call: Promise<Schemas["ComparisonView"]>,
): Promise<Schemas["ComparisonView"]> {
  const view = await call;
  for (const member of view.members) touch(member.episode_id, member.driven);
  return view;
}

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

/** Where the report on an episode is: one file that prints to PDF; of another law if one is named. */
export const reportAddress = (id: string, law?: string) =>
  `${SERVER}/api/episodes/${encodeURIComponent(id)}/report${law === undefined ? "" : `?law=${encodeURIComponent(law)}`}`;

export const api = {
  systems: () => answer(client.GET("/api/systems")),
  models: () => answer(client.GET("/api/models")),
  fetchModel: (name: string) =>
    answer(client.POST("/api/models/{name}/pull", { params: { path: { name } } })),
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
    acted(answer(client.POST("/interactive/sessions/{episode_id}/step", { ...episode(id), body }))),
  trial: (id: string, body: Schemas["TrialBody"]) =>
    answer(client.POST("/interactive/sessions/{episode_id}/try", { ...episode(id), body })),
  elsewhere: (id: string, body: Schemas["StartBody"]) =>
    answer(client.POST("/api/episodes/{episode_id}/elsewhere", { ...episode(id), body })),
  label: (id: string, labels: Schemas["LabelsBody"]["labels"]) =>
    answer(client.PATCH("/api/episodes/{episode_id}/labels", { ...episode(id), body: { labels } })),
  told: (ids: string[]) =>
    answer(client.GET("/api/episodes/told", { params: { query: { episode: ids } } })),
  events: (id: string) => answer(client.GET("/api/episodes/{episode_id}/events.json", episode(id))),
  follow: (id: string, body: Hypothesis) =>
    answer(client.POST("/api/episodes/{episode_id}/follow", { ...episode(id), body })),
  fit: (id: string, law: string) =>
    answer(
      client.POST("/api/episodes/{episode_id}/fit", { ...episode(id), body: { law, params: {} } }),
    ),
  suites: () => answer(client.GET("/api/board/suites")),
  boards: () => answer(client.GET("/api/board")),
  board: (board_id: string, than?: string) =>
    answer(
      client.GET("/api/board/{board_id}", {
        params: { path: { board_id }, query: than === undefined ? {} : { than } },
      }),
    ),
  boardEpisodes: (
    board_id: string,
    query: { policy: string; suite: string; noise?: number; offset: number },
  ) =>
    answer(
      client.GET("/api/board/{board_id}/episodes", {
        params: { path: { board_id }, query: { ...query, limit: 200 } },
      }),
    ),
  estimateBoard: (body: Schemas["NewBoard"]) =>
    answer(client.POST("/api/board/estimate", { body })),
  startBoard: (body: Schemas["NewBoard"]) => answer(client.POST("/api/board", { body })),
  driveBoard: (board_id: string, action: "pause" | "cancel" | "run") =>
    answer(
      action === "pause"
        ? client.POST("/api/board/{board_id}/pause", { params: { path: { board_id } } })
        : action === "cancel"
          ? client.POST("/api/board/{board_id}/cancel", { params: { path: { board_id } } })
          : client.POST("/api/board/{board_id}/run", { params: { path: { board_id } } }),
    ),
  check: (body: Schemas["TableBody"]) => answer(client.POST("/api/csv/check", { body })),
  fork: (id: string, turn: number, policy = "you") =>
    answer(
      client.POST("/interactive/sessions/{episode_id}/fork", {
        ...episode(id),
        body: { turn, policy },
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
    acted(answer(client.POST("/interactive/sessions/{episode_id}/run", { ...episode(id), body }))),
  drive: (id: string, action: Drive) => acted(answer(DRIVES[action](id))),
  driveAll: (comparison: string, action: DriveAll) =>
    actedOnAll(answer(COMPARISON_DRIVES[action](comparison))),
  running: () => answer(client.GET("/api/running")),
  truth: (episode_id: string, turn: number) =>
    answer(
      client.GET("/api/episodes/{episode_id}/turns/{turn}/truth", {
        params: { path: { episode_id, turn } },
      }),
    ),
};

// One address a word: the document knows each by its own type.
const DRIVES = {
  "llm-step": (id: string) =>
    client.POST("/interactive/sessions/{episode_id}/llm-step", episode(id)),
  run: (id: string) => client.POST("/interactive/sessions/{episode_id}/run", episode(id)),
  pause: (id: string) => client.POST("/interactive/sessions/{episode_id}/pause", episode(id)),
  abandon: (id: string) => client.POST("/interactive/sessions/{episode_id}/abandon", episode(id)),
};

const members = (comparison_id: string) => ({ params: { path: { comparison_id } } });
const COMPARISON_DRIVES = {
  run: (id: string) => client.POST("/api/comparisons/{comparison_id}/run", members(id)),
  pause: (id: string) => client.POST("/api/comparisons/{comparison_id}/pause", members(id)),
  abandon: (id: string) => client.POST("/api/comparisons/{comparison_id}/abandon", members(id)),
};
