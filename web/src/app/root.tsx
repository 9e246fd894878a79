import { createRootRoute, Link } from "@tanstack/react-router";
import { DropAnywhere } from "../features/files/DropAnywhere";
import { Shell } from "./Shell";

export const root = createRootRoute({
  component: () => (
    <>
      <Shell />
      <DropAnywhere />
    </>
  ),
  notFoundComponent: () => (
    <>
      <h1>Not found</h1>
      <Link to="/episodes">See all episodes</Link>
    </>
  ),
});

/** A form beside what it is about. */
export const split = "mt-4 grid items-start gap-4 lg:grid-cols-[320px_minmax(0,1fr)]";
