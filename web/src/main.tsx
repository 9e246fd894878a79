import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { onReach, reachOf, watchServer } from "./api/reach";
import { router } from "./app/router";
import { loadMaths } from "./viz";
import "./styles/index.css";

const queries = new QueryClient({
  defaultOptions: {
    // A server that is away is asked again once it is back; what it has refused, it would refuse again.
    queries: {
      networkMode: "always",
      retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status < 500),
    },
    // Nothing that was asked for while the server was away happens later by itself.
    mutations: { networkMode: "always", retry: false },
  },
});
let returned = 0;
onReach(() => {
  if (reachOf().returned === returned) return;
  returned = reachOf().returned;
  queries.invalidateQueries();
});
watchServer();

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);

// Fetched while nothing else is going on, so that a screen can be gone to when the server is away; whatever is wanted
// first, or fails here, is fetched anew.
const later = [
  loadMaths,
  () => import("./panel/EpisodePanel"),
  () => import("./features/episodes/EpisodeList"),
  () => import("./features/compare/Comparison"),
  () => import("./features/manual/HypothesisForm"),
  () => import("./features/bench/Bench"),
  () => import("./features/board/BoardScreen"),
  () => import("./features/transcript/Transcript"),
  () => import("./features/data/Data"),
  () => import("./features/training/Training"),
  () => import("./features/many/Many"),
];
const whenIdle = window.requestIdleCallback ?? ((act: () => void) => setTimeout(act, 500));
const fetchNext = () =>
  whenIdle(() => {
    const next: Promise<unknown> | undefined = later.shift()?.();
    next?.catch(() => {}).then(fetchNext);
  });
fetchNext();
