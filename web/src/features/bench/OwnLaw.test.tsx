import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Fitted } from "../../episode/types";
import { OwnLaw, useOwnLaws } from "./OwnLaw";

const fitted = (more: object) => ({
  equation: "d2y/dt2 = -a",
  chi2: 0.98,
  complexity: 1,
  said: ["It explains the shown data."],
  missing: "",
  constants: [{ name: "a", value: 9.81, error: 0.01, low: 9.79, high: 9.83, unit: null }],
  from_all_rows: [],
  ...more,
});

let sent: string[] = [];
let reply: () => Response = () => Response.json(fitted({}));
beforeEach(() => {
  sent = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    sent.push(`${request.method} ${new URL(request.url).pathname} ${await request.text()}`);
    return reply();
  });
});
afterEach(() => {
  cleanup();
  localStorage.clear();
  vi.unstubAllGlobals();
});

/** The form, and beside it what is kept and which law would be shown. */
function Kept() {
  const { fits, keep } = useOwnLaws("e");
  const chosen = (one: Fitted) => shown.push(keep(one));
  return (
    <>
      <OwnLaw id="e" targets={["d2y/dt2"]} onFitted={chosen} />
      <p>{fits.length} kept</p>
    </>
  );
}
let shown: string[] = [];

function fit(law: string) {
  fireEvent.change(screen.getByLabelText("Law"), { target: { value: law } });
  fireEvent.click(screen.getByRole("button", { name: "Fit" }));
}

const show = () => {
  shown = [];
  render(
    <QueryClientProvider client={new QueryClient()}>
      <Kept />
    </QueryClientProvider>,
  );
};

it("sends the law as written, keeps what was fitted, and lays out the same law once", async () => {
  reply = () => Response.json(fitted({}));
  show();
  expect(screen.getByRole("button", { name: "Fit" })).toHaveProperty("disabled", true);
  fit("y'' = -a");
  await screen.findByText("1 kept");
  expect(sent).toEqual([
    `POST /api/episodes/e/fit ${JSON.stringify({ law: "y'' = -a", params: {} })}`,
  ]);
  fit("y'' = -1*a");
  await vi.waitFor(() => expect(shown).toEqual(["yours 0", "yours 0"]));
  reply = () => Response.json(fitted({ equation: "d2y/dt2 = -k*y" }));
  fit("y'' = -k*y");
  await screen.findByText("2 kept");
  expect(shown).toEqual(["yours 0", "yours 0", "yours 1"]);
});

it("says in the server's words why a law was refused, or cannot be followed, and keeps neither", async () => {
  reply = () =>
    Response.json(
      { title: "Bad input", detail: "The data have y, vy: z is none." },
      { status: 422 },
    );
  show();
  fit("z'' = -a");
  expect((await screen.findByRole("alert")).textContent).toBe("The data have y, vy: z is none.");
  reply = () => Response.json(fitted({ chi2: null, said: ["It cannot be followed."] }));
  fit("y'' = y**9");
  await screen.findByText("It cannot be followed.");
  expect(screen.getByText("0 kept")).toBeTruthy();
  expect(shown).toEqual([]);
});

it("brings the laws back on the next visit, and leaves out what an older page kept otherwise", async () => {
  reply = () => Response.json(fitted({ residuals: [{ variable: "y" }] }));
  show();
  fit("y'' = -a");
  await screen.findByText("1 kept");
  cleanup();
  show();
  expect(screen.getByText("1 kept")).toBeTruthy();
  expect(localStorage.getItem("laws e")).not.toContain("variable");
  cleanup();
  localStorage.setItem("laws e", JSON.stringify([{ equation: "d2y/dt2 = -a", chi2: 1 }, 7, null]));
  show();
  expect(screen.getByText("0 kept")).toBeTruthy();
  cleanup();
  localStorage.setItem("laws e", "{");
  show();
  expect(screen.getByText("0 kept")).toBeTruthy();
});
