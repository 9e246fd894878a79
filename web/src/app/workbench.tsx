// The screens of someone at work: by hand, with data of their own, over many runs. Each is loaded when it is opened.

import { createRoute } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useCallback, useState } from "react";
import { StartForm } from "../features/run/StartForm";
import { Loading } from "../shared/parts";
import {
  benchSearch,
  boardSearch,
  compareSearch,
  episodeSearch,
  episodesSearch,
  formSearch,
  manySearch,
  pairSearch,
  trainingSearch,
  transcriptSearch,
} from "../shared/search";
import { useTitle } from "../shared/title";
import { root, split } from "./root";

const comparison = () => import("../features/compare/Comparison");
const CompareForm = lazy(async () => ({ default: (await comparison()).CompareForm }));
const ComparisonScreen = lazy(async () => ({ default: (await comparison()).ComparisonScreen }));
const Members = lazy(async () => ({ default: (await comparison()).Members }));
const EpisodePanel = lazy(async () => ({
  default: (await import("../panel/EpisodePanel")).EpisodePanel,
}));
const EpisodeList = lazy(() => import("../features/episodes/EpisodeList"));
const HypothesisForm = lazy(() => import("../features/manual/HypothesisForm"));
const LocalFile = lazy(() => import("../features/files/LocalFile"));
const Data = lazy(() => import("../features/data/Data"));
const Bench = lazy(() => import("../features/bench/Bench"));
const BoardList = lazy(() => import("../features/board/BoardList"));
const BoardScreen = lazy(() => import("../features/board/BoardScreen"));
const Many = lazy(() => import("../features/many/Many"));
const Transcript = lazy(() => import("../features/transcript/Transcript"));
const Training = lazy(() => import("../features/training/Training"));

interface ScreenProps {
  name: string;
  /** Its heading is read out and not shown: what is below it needs the room. */
  full?: boolean;
  children: ReactNode;
}

/** A screen under its heading, with outlines until it has been loaded. */
function Screen({ name, full = false, children }: ScreenProps) {
  useTitle(name);
  return (
    <>
      <h1 className={full ? "sr-only" : "mb-4"}>{name}</h1>
      <Suspense fallback={<Loading what={name} height={480} />}>{children}</Suspense>
    </>
  );
}

const manual = createRoute({
  getParentRoute: () => root,
  path: "/manual",
  validateSearch: formSearch,
  component: function Manual() {
    const search = manual.useSearch();
    const go = manual.useNavigate();
    return (
      <Screen name="Manual">
        <div className={split}>
          <StartForm
            search={search}
            manual
            onStarted={(episodeId) => go({ to: "/manual/$episodeId", params: { episodeId } })}
          />
        </div>
      </Screen>
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
      <Screen name="Manual" full>
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
      </Screen>
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
      <Screen name="Episodes">
        <EpisodeList
          search={episodes.useSearch()}
          onSearch={(next) => go({ search: next, replace: true })}
        />
      </Screen>
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
      <Screen name="Compare">
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
      </Screen>
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
      <Screen name="Compare">
        <ComparisonScreen
          key={comparisonId}
          id={comparisonId}
          view={comparing.useSearch()}
          onView={(next) => go({ search: next, replace: true })}
        />
      </Screen>
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
      <Screen name="File">
        <LocalFile view={file.useSearch()} onView={(next) => go({ search: next, replace: true })} />
      </Screen>
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
      <Screen name="Training">
        <Training
          search={training.useSearch()}
          onSearch={(next) => go({ search: next, replace: true })}
        />
      </Screen>
    );
  },
});

const data = createRoute({
  getParentRoute: () => root,
  path: "/data",
  component: function ShowData() {
    const go = data.useNavigate();
    return (
      <Screen name="Your data">
        <Data
          onStarted={(episodeId, byHand) =>
            go({ to: byHand ? "/manual/$episodeId" : "/bench/$episodeId", params: { episodeId } })
          }
        />
      </Screen>
    );
  },
});

const bench = createRoute({
  getParentRoute: () => root,
  path: "/bench/$episodeId",
  validateSearch: benchSearch,
  component: function ShowBench() {
    const { episodeId } = bench.useParams();
    const go = bench.useNavigate();
    return (
      <Screen name="Bench">
        <Bench
          key={episodeId}
          id={episodeId}
          view={bench.useSearch()}
          onView={(next) => go({ search: next, replace: true })}
        />
      </Screen>
    );
  },
});

const transcript = createRoute({
  getParentRoute: () => root,
  path: "/episodes/$episodeId/transcript",
  validateSearch: transcriptSearch,
  component: function ShowTranscript() {
    const { episodeId } = transcript.useParams();
    const go = transcript.useNavigate();
    return (
      <Screen name="Transcript">
        <Transcript
          key={episodeId}
          id={episodeId}
          view={transcript.useSearch()}
          onView={(next) => go({ search: next, replace: true })}
        />
      </Screen>
    );
  },
});

const boards = createRoute({
  getParentRoute: () => root,
  path: "/board",
  component: () => (
    <Screen name="Board">
      <BoardList />
    </Screen>
  ),
});

const board = createRoute({
  getParentRoute: () => root,
  path: "/board/$boardId",
  validateSearch: boardSearch,
  component: function ShowBoard() {
    const { boardId } = board.useParams();
    const go = board.useNavigate();
    return (
      <Screen name="Board">
        <BoardScreen
          key={boardId}
          id={boardId}
          view={board.useSearch()}
          onView={(next) => go({ search: next, replace: true })}
        />
      </Screen>
    );
  },
});

const many = createRoute({
  getParentRoute: () => root,
  path: "/many",
  validateSearch: manySearch,
  component: function ShowMany() {
    const go = many.useNavigate();
    return (
      <Screen name="Run many">
        <Many
          search={many.useSearch()}
          onStarted={(boardId) => go({ to: "/board/$boardId", params: { boardId } })}
        />
      </Screen>
    );
  },
});

/** In the order of the addresses' first words. */
export const work = [
  manual,
  playing,
  data,
  bench,
  episodes,
  transcript,
  compare,
  comparing,
  boards,
  board,
  many,
  file,
  training,
] as const;
