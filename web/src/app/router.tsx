import { createRootRoute, createRoute, createRouter, Link, redirect } from "@tanstack/react-router";
import { CompareForm, ComparisonScreen } from "../screens/Comparison";
import { DemoCards, DemoScreen } from "../screens/Demos";
import { EpisodeList } from "../screens/EpisodeList";
import { EpisodePanel } from "../screens/EpisodePanel";
import { HypothesisForm } from "../screens/HypothesisForm";
import { StartForm } from "../screens/StartForm";
import { Shell } from "./Shell";
import { episodeSearch, episodesSearch, formSearch } from "./search";

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
    throw redirect({ to: "/run" });
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
    const { turn } = running.useSearch();
    const go = running.useNavigate();
    return (
      <>
        <h1>Run</h1>
        <div className={split}>
          <StartForm
            search={{}}
            manual={false}
            onStarted={(started) => go({ to: "/run/$episodeId", params: { episodeId: started } })}
          />
          <EpisodePanel
            key={episodeId}
            id={episodeId}
            turn={turn}
            drivable
            onTurn={(next) => go({ search: episodeSearch({ turn: next }), replace: true })}
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
    const { turn } = playing.useSearch();
    const go = playing.useNavigate();
    return (
      <>
        <h1>Manual</h1>
        <div className={split}>
          <HypothesisForm key={episodeId} id={episodeId} />
          <EpisodePanel
            key={episodeId}
            id={episodeId}
            turn={turn}
            onTurn={(next) => go({ search: episodeSearch({ turn: next }), replace: true })}
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
    return (
      <>
        <h1 className="mb-4">Episodes</h1>
        <DemoCards />
        <EpisodeList search={episodes.useSearch()} />
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
    const { turn } = replay.useSearch();
    const go = replay.useNavigate();
    return (
      <>
        <h1>Replay</h1>
        <EpisodePanel
          key={episodeId}
          id={episodeId}
          turn={turn}
          onTurn={(next) => go({ search: episodeSearch({ turn: next }), replace: true })}
        />
      </>
    );
  },
});

const compare = createRoute({
  getParentRoute: () => root,
  path: "/compare",
  component: function Compare() {
    const go = compare.useNavigate();
    return (
      <>
        <h1>Compare</h1>
        <div className={split}>
          <CompareForm
            onStarted={(comparisonId) =>
              go({ to: "/compare/$comparisonId", params: { comparisonId } })
            }
          />
        </div>
      </>
    );
  },
});
const comparing = createRoute({
  getParentRoute: () => root,
  path: "/compare/$comparisonId",
  component: function Comparing() {
    const { comparisonId } = comparing.useParams();
    return (
      <>
        <h1 className="mb-4">Compare</h1>
        <ComparisonScreen key={comparisonId} id={comparisonId} />
      </>
    );
  },
});
const demo = createRoute({
  getParentRoute: () => root,
  path: "/demos/$demoId",
  component: function ShowDemo() {
    const { demoId } = demo.useParams();
    return (
      <>
        <h1 className="mb-4">Demo</h1>
        <DemoScreen key={demoId} id={demoId} />
      </>
    );
  },
});

export const router = createRouter({
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
  ]),
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
