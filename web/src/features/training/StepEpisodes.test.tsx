import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { StepEpisodes } from "./StepEpisodes";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ search, children }: { search: object; children: string }) => (
    <a href={`?${JSON.stringify(search)}`}>{children}</a>
  ),
}));

/** Episodes that the log has, by run and step. */
const LOGGED: Record<string, Record<string, number>> = { own: { "40": 8 } };
let asked: string[] = [];
beforeEach(() => {
  asked = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    const { searchParams } = new URL(request.url);
    const [run, step] = [searchParams.get("run") ?? "", searchParams.get("step")];
    asked.push(`${run} ${step ?? "any"}`);
    const steps = LOGGED[run] ?? {};
    const total = step === null ? Object.values(steps).reduce((a, b) => a + b, 0) : steps[step];
    return Response.json({ items: [], next_cursor: null, total: total ?? 0 });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = (run: string, steps: number[], named = false) =>
  render(
    <QueryClientProvider client={new QueryClient()}>
      {steps.map((step) => (
        <StepEpisodes key={step} run={run} step={step} named={named} />
      ))}
    </QueryClientProvider>,
  );

it("leads to a step's episodes where the log has them, and says where it has not", async () => {
  show("own", [40, 41]);
  const link = await screen.findByRole("link", { name: "8" });
  expect(link.getAttribute("href")).toContain('{"run":"own","step":"40"}');
  expect(await screen.findAllByText("not shipped")).toHaveLength(1);
});

it("says so of every step of a run that came without its episodes, after one question", async () => {
  show("nano", [0, 20, 40], true);
  expect(await screen.findAllByText(/were not shipped/)).toHaveLength(3);
  expect(asked).toEqual(["nano any"]);
});
