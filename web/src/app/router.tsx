import {
  createBrowserHistory,
  createHashHistory,
  createRoute,
  createRouter,
  redirect,
} from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { bundled } from "../api/bundle";
import { StartForm } from "../features/run/StartForm";
import { Loading } from "../shared/parts";
import { compareSearch, episodeSearch, formSearch } from "../shared/search";
import { root, split } from "./root";
import { work } from "./workbench";

const EpisodePanel = lazy(async () => ({
  default: (await import("../panel/EpisodePanel")).EpisodePanel,
}));
const Labels = lazy(() => import("../features/episodes/Labels"));
const Start = lazy(() => import("../features/start/Start"));
const DemoScreen = lazy(() => import("../features/demos/Demos"));

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  // A folder without a server has nothing to watch, to try or to bring data to.
  beforeLoad: () => {
    if (bundled) throw redirect({ to: "/episodes" });
  },
  component: () => (
    <Suspense fallback={<Loading what="the page" height={640} />}>
      <Start />
    </Suspense>
  ),
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
            onStarted={(episodeId) =>
              go({
                to: "/run/$episodeId",
                params: { episodeId },
                search: search.pace ? { pace: search.pace } : {},
              })
            }
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
    return (
      <>
        <h1 className="sr-only">Run</h1>
        <Suspense fallback={<Loading what="the episode" height={720} />}>
          <EpisodePanel
            key={episodeId}
            id={episodeId}
            view={running.useSearch()}
            drivable
            onView={(next) => go({ search: next, replace: true })}
          />
        </Suspense>
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
    const { embed } = replay.useSearch();
    const go = replay.useNavigate();
    return (
      <>
        <h1 className="sr-only">Replay</h1>
        <Suspense fallback={<Loading what="the episode" height={720} />}>
          <EpisodePanel
            key={episodeId}
            id={episodeId}
            view={replay.useSearch()}
            onView={(next) => go({ search: next, replace: true })}
          />
          {!bundled && embed === undefined && <Labels key={`labels ${episodeId}`} id={episodeId} />}
        </Suspense>
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
        <Suspense fallback={<Loading what="the demo" height={480} />}>
          <DemoScreen
            key={demoId}
            id={demoId}
            view={demo.useSearch()}
            onView={(next) => go({ search: next, replace: true })}
          />
        </Suspense>
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
