import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { StartForm } from "./StartForm";

vi.mock("@tanstack/react-router", () => ({ Link: () => null }));

const policy = (name: string, constants: "fitted" | null, is_default = false) => ({
  ...{ name, title: name, description: "", reachable: true, reason: null, command: null },
  ...{ constants, is_default },
});
const SYSTEM = {
  id: "free_fall",
  title: "Free fall",
  tier: 1,
  description: "",
  variables: [],
  hints: [],
};

let sent: { path: string; body: string }[] = [];
beforeEach(() => {
  sent = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    const path = new URL(request.url).pathname;
    if (request.method === "POST") sent.push({ path, body: await request.text() });
    if (path.endsWith("/systems")) return Response.json([SYSTEM]);
    if (path.endsWith("/policies"))
      return Response.json([policy("search", null, true), policy("local:m", "fitted")]);
    return Response.json({ episode_id: "e" });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

async function begun(search: object, before: () => Promise<void> = async () => {}) {
  const started = vi.fn();
  render(
    <QueryClientProvider client={new QueryClient()}>
      <StartForm search={search} manual={false} onStarted={started} />
    </QueryClientProvider>,
  );
  const button = await screen.findByRole<HTMLButtonElement>("button", { name: /start|run/i });
  await waitFor(() => expect(button.disabled).toBe(false));
  await before();
  fireEvent.click(button);
  await waitFor(() => expect(started).toHaveBeenCalled());
  return JSON.parse(sent.find(({ path }) => path.endsWith("/sessions"))?.body ?? "{}");
}

it("starts a policy by the rule for constants that it is made for", async () => {
  expect((await begun({ policy: "local:m" })).constants).toBe("fitted");
  cleanup();
  sent = [];
  expect((await begun({ policy: "search" })).constants).toBe("declared");
});

it("leaves the rule that somebody chose", async () => {
  const body = await begun({ policy: "local:m" }, async () => {
    const more = screen.getByText("Noise, motions and rules").closest("details");
    if (!more) throw new Error("the rules are not there");
    more.open = true;
    fireEvent(more, new Event("toggle"));
    const chosen = await screen.findByLabelText("Constants that a law leaves open");
    fireEvent.change(chosen, { target: { value: "declared" } });
  });
  expect(body.constants).toBe("declared");
});
