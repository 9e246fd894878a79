import { useQuery } from "@tanstack/react-query";
import {
  createBrowserHistory,
  createHashHistory,
  createRootRoute,
  createRoute,
  createRouter,
  Link,
  redirect,
} from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useState } from "react";
import { bundled } from "../api/bundle";
import { api } from "../api/client";
import { CompareForm, ComparisonScreen, Members } from "../features/compare/Comparison";
import { DemoCards, DemoScreen } from "../features/demos/Demos";
import { EpisodeList } from "../features/episodes/EpisodeList";
import { DropZone } from "../features/files/DropZone";
import { HypothesisForm } from "../features/manual/HypothesisForm";
import { StartForm } from "../features/run/StartForm";
import { EpisodePanel } from "../panel/EpisodePanel";
import { Loading } from "../shared/parts";
import {
  compareSearch,
  episodeSearch,
  episodesSearch,
  formSearch,
  pairSearch,
  trainingSearch,
} from "../shared/search";
import { Shell } from "./Shell";

// Loaded with their screens: a first visit shows a run.
const Training = lazy(() => import("../features/training/Training"));
const LocalFile = lazy(() => import("../features/files/LocalFile"));

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <>
      <h1>Not found</h1>
      <Link to="/episodes">See all episodes</Link>
    </>
  ),
});
const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: bundled ? "/episodes" : "/run" });
  },
});
const split = "mt-4 grid items-start gap-4 lg:grid-cols-[320px_minmax(0,1fr)]";

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
const manual = createRoute({
  getParentRoute: () => root,
  path: "/manual",
  validateSearch: formSearch,
  component: function Manual() {
    const search = manual.useSearch();
    const go = manual.useNavigate();
    return (
      <>
        <h1>Manual</h1>
        <div className={split}>
          <StartForm
            search={search}
            manual
            onStarted={(episodeId) => go({ to: "/manual/$episodeId", params: { episodeId } })}
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

const playing = createRoute({
  getParentRoute: () => root,
  path: "/manual/$episodeId",
  validateSearch: episodeSearch,
  component: function Playing() {
    const { episodeId } = playing.useParams();
    const go = playing.useNavigate();
    const [preview, setPreview] = useState<{ label: string; states: number[][] } | null>(null);
    const onPreview = useCallback((next: typeof preview) => setPreview(next), []);
    return (
      <>
        <h1>Manual</h1>
        <div className={split}>
          <HypothesisForm key={`form ${episodeId}`} id={episodeId} onPreview={onPreview} />
          <EpisodePanel
            key={episodeId}
            id={episodeId}
            view={playing.useSearch()}
            onView={(next) => go({ search: next, replace: true })}
            preview={preview}
          />
        </div>
      </>
    );
  },
});

const episodes = createRoute({
  getParentRoute: () => root,
  path: "/episodes",
  validateSearch: episodesSearch,
  component: function Episodes() {
    const go = episodes.useNavigate();
    return (
      <DropZone>
        <h1>Episodes</h1>
        {!bundled && <DemoCards />}
        <EpisodeList
          search={episodes.useSearch()}
          onSearch={(next) => go({ search: next, replace: true })}
        />
      </DropZone>
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

const compare = createRoute({
  getParentRoute: () => root,
  path: "/compare",
  validateSearch: pairSearch,
  component: function Compare() {
    const go = compare.useNavigate();
    const view = compare.useSearch();
    const { episode } = view;
    return (
      <>
        <h1 className="mb-4">Compare</h1>
        {episode && episode.length > 0 ? (
          <Members
            key={episode.join(" ")}
            ids={episode}
            view={view}
            onView={(next) => go({ search: { episode, ...next }, replace: true })}
          />
        ) : (
          <div className={split}>
            <CompareForm
              onStarted={(comparisonId) =>
                go({ to: "/compare/$comparisonId", params: { comparisonId } })
              }
            />
          </div>
        )}
      </>
    );
  },
});

const comparing = createRoute({
  getParentRoute: () => root,
  path: "/compare/$comparisonId",
  validateSearch: compareSearch,
  component: function Comparing() {
    const { comparisonId } = comparing.useParams();
    const go = comparing.useNavigate();
    return (
      <>
        <h1 className="mb-4">Compare</h1>
        <ComparisonScreen
          key={comparisonId}
          id={comparisonId}
          view={comparing.useSearch()}
          onView={(next) => go({ search: next, replace: true })}
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

const file = createRoute({
  getParentRoute: () => root,
  path: "/file",
  validateSearch: compareSearch,
  component: function ShowFile() {
    const go = file.useNavigate();
    return (
      <>
        <h1 className="mb-4">File</h1>
        <LocalFile view={file.useSearch()} onView={(next) => go({ search: next, replace: true })} />
      </>
    );
  },
});

const training = createRoute({
  getParentRoute: () => root,
  path: "/training",
  validateSearch: trainingSearch,
  component: function ShowTraining() {
    const go = training.useNavigate();
    return (
      <>
        <h1 className="mb-4">Training</h1>
        <Suspense fallback={<Loading what="the runs" />}>
          <Training
            search={training.useSearch()}
            onSearch={(next) => go({ search: next, replace: true })}
          />
        </Suspense>
      </>
    );
  },
});

export const router = createRouter({
  // A static host has no rule that sends every address to the page, so a bundle keeps its own after a #.
  history: bundled ? createHashHistory() : createBrowserHistory(),
  routeTree: root.addChildren([
    home,
    run,
    manual,
    running,
    playing,
    episodes,
    replay,
    compare,
    comparing,
    demo,
    file,
    training,
  ]),
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
