import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { LocalModel } from "../episode/types";
import FetchModels from "./FetchModels";

const absent: LocalModel = {
  name: "smollm2",
  title: "SmolLM2-135M-Instruct",
  licence: "Apache-2.0",
  source: "HuggingFaceTB",
  bytes: 98_000_000,
  state: "absent",
  doing: null,
  done_bytes: 0,
  total_bytes: 93_000_000,
  reason: null,
  policies: ["local:smollm2", "local:smollm2-physix"],
  may_fetch: true,
};

let model = absent;
let sent: string[] = [];
let client = new QueryClient();
beforeEach(() => {
  sent = [];
  client = new QueryClient();
  vi.stubGlobal("fetch", async (request: Request) => {
    const { pathname } = new URL(request.url);
    if (request.method === "POST") {
      sent.push(pathname);
      model = { ...model, state: "fetching", doing: "downloading", done_bytes: 31_000_000 };
      return Response.json(model, { status: 202 });
    }
    return Response.json([model]);
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const show = (now: LocalModel) => {
  model = now;
  return render(
    <QueryClientProvider client={client}>
      <FetchModels />
    </QueryClientProvider>,
  );
};

it("has a model fetched once, tells how far it is, and then lets it be chosen", async () => {
  client.setQueryData(["policies"], []);
  show(absent);
  fireEvent.click(
    await screen.findByRole("button", { name: "Fetch SmolLM2-135M-Instruct, 93 MB" }),
  );
  const bar = await screen.findByRole("progressbar", { name: "Fetching SmolLM2-135M-Instruct" });
  expect([bar.getAttribute("value"), bar.getAttribute("max")]).toEqual(["31000000", "93000000"]);
  expect(screen.getByText(/downloading, 31 of 93 MB/)).toBeTruthy();
  expect(sent).toEqual(["/api/models/smollm2/pull"]);
  expect(client.getQueryState(["policies"])?.isInvalidated).toBe(false);
  model = { ...model, state: "present" };
  await client.invalidateQueries({ queryKey: ["models"] });
  await vi.waitFor(() => expect(screen.queryByRole("progressbar")).toBeNull());
  expect(client.getQueryState(["policies"])?.isInvalidated).toBe(true);
});

it("says why it failed, and offers it again", async () => {
  show({ ...absent, state: "failed", reason: "the line is down" });
  expect((await screen.findByRole("alert")).textContent).toContain("the line is down");
  expect(screen.getByRole("button", { name: /^Fetch / })).toBeTruthy();
});

it("offers nothing to whoever may not fetch, and nothing that is here", async () => {
  const { container } = show({ ...absent, may_fetch: false });
  await vi.waitFor(() => expect(client.getQueryData(["models"])).toBeTruthy());
  expect(container.textContent).toBe("");
  model = { ...absent, state: "present" };
  await client.invalidateQueries({ queryKey: ["models"] });
  expect(container.textContent).toBe("");
});
