import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { Retold } from "./Retold";

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

it("says what is on its way, and what went wrong, with a way to try again", async () => {
  let answer: (response: Response) => void = () => undefined;
  vi.stubGlobal("fetch", () => new Promise<Response>((done) => (answer = done)));
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={client}>
      <Retold />
    </QueryClientProvider>,
  );
  expect(screen.getByText(/A recorded discovery is on its way/)).toBeTruthy();
  const failed = { title: "Storage", detail: "The log cannot be read.", status: 503 };
  answer(Response.json(failed, { status: 503 }));
  expect((await screen.findByRole("alert")).textContent).toContain("The log cannot be read.");
  fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText(/A recorded discovery is on its way/)).toBeTruthy();
});
