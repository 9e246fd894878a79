import { useQuery } from "@tanstack/react-query";
import {
  createBrowserHistory,
  createHashHistory,
  createRoute,
  createRouter,
  redirect,
} from "@tanstack/react-router";
import { bundled } from "../api/bundle";
import { api } from "../api/client";
import { DemoScreen } from "../features/demos/Demos";
import { StartForm } from "../features/run/StartForm";
import { EpisodePanel } from "../panel/EpisodePanel";
import { compareSearch, episodeSearch, formSearch } from "../shared/search";
import { root, split } from "./root";
import { work } from "./workbench";

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: bundled ? "/episodes" : "/run" });
  },
});

const run = createRoute({
  getParentRoute: () => root,
  path: "/run",
  validateSearch: formSearch,
  component: function Run() {
    const search = run.useSearch();
    const go = run.useNavigate();
    return (
      <>
        <h1>Run</h1>
        <div className={split}>
          <StartForm
            search={search}
            manual={false}
            onStarted={(episodeId) => go({ to: "/run/$episodeId", params: { episodeId } })}
          />
        </div>
      </>
    );
  },
});
const running = createRoute({
  getParentRoute: () => root,
  path: "/run/$episodeId",
  validateSearch: episodeSearch,
  component: function Running() {
    const { episodeId } = running.useParams();
    const go = running.useNavigate();
    // The form beside a run starts from what that run was about.
    const { data: past } = useQuery({
      queryKey: ["begun", episodeId],
      queryFn: () => api.episode(episodeId),
      staleTime: Number.POSITIVE_INFINITY,
    });
    return (
      <>
        <h1>Run</h1>
        <div className={split}>
          <details open={window.innerWidth >= 1024}>
            <summary className="mb-2 lg:hidden">Another run</summary>
            <StartForm
              key={past?.episode_id}
              search={past ? { system: past.system_id, policy: past.policy } : {}}
              manual={false}
              onStarted={(started) => go({ to: "/run/$episodeId", params: { episodeId: started } })}
            />
          </details>
          <EpisodePanel
            key={episodeId}
            id={episodeId}
            view={running.useSearch()}
            drivable
            onView={(next) => go({ search: next, replace: true })}
          />
        </div>
      </>
    );
  },
});

const replay = createRoute({
  getParentRoute: () => root,
  path: "/episodes/$episodeId",
  validateSearch: episodeSearch,
  component: function Replay() {
    const { episodeId } = replay.useParams();
    const view = replay.useSearch();
    const go = replay.useNavigate();
    return (
      <>
        <h1 className={view.embed ? "sr-only" : "mb-4"}>Replay</h1>
        <EpisodePanel
          key={episodeId}
          id={episodeId}
          view={view}
          onView={(next) =>
            go({ search: { ...(view.embed && { embed: 1 }), ...next }, replace: true })
          }
        />
      </>
    );
  },
});

const demo = createRoute({
  getParentRoute: () => root,
  path: "/demos/$demoId",
  validateSearch: compareSearch,
  component: function ShowDemo() {
    const { demoId } = demo.useParams();
    const go = demo.useNavigate();
    return (
      <>
        <h1 className="mb-4">Demo</h1>
        <DemoScreen
          key={demoId}
          id={demoId}
          view={demo.useSearch()}
          onView={(next) => go({ search: next, replace: true })}
        />
      </>
    );
  },
});

export const router = createRouter({
  // A static host has no rule that sends every address to the page, so a bundle keeps its own after a #.
  history: bundled ? createHashHistory() : createBrowserHistory(),
  routeTree: root.addChildren([home, run, running, replay, demo, ...work]),
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
