import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { router } from "./app/router";
import { loadMaths } from "./viz";
import "./styles/index.css";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={new QueryClient()}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);

// Fetched while nothing else is going on; an equation that comes first, or a failure here, fetches it anew.
const whenIdle = window.requestIdleCallback ?? ((act: () => void) => setTimeout(act, 500));
whenIdle(() => loadMaths().catch(() => {}));
