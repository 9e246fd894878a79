import type { Page } from "@playwright/test";
import { expect, expectErrors, test } from "./page";
import { Server, SlowModel } from "./server";

// Takes its time: what is played lasts as long as a test wants it to.
const SLOW = "openai:slow";

const server = new Server();
const model = new SlowModel();
const start = () => server.start({ PHYSIX_OPENAI_BASE_URL: model.url });
test.beforeAll(async () => {
  await model.start();
  await start();
});
test.afterAll(async () => {
  await server.kill();
  model.stop();
});
test.use({ baseURL: server.url });

const turns = (page: Page) => page.getByRole("button", { name: /^Turn \d+:/ });
const bar = (page: Page) => page.getByRole("alert", { name: "Connection" });

test("a comparison whose server is killed stays on the screen, and goes on with every turn once", async ({
  page,
}) => {
  expectErrors(page);
  const { comparison_id: id, members } = await server.post("/api/comparisons", {
    system_id: "damped_pendulum",
    seed: 7,
    policies: [SLOW, "search", "nano-early"],
    max_turns: 6,
  });
  await page.goto(`/compare/${id}`);
  await expect.poll(() => turns(page).count()).toBeGreaterThan(4);
  await server.kill();
  await expect(bar(page)).toBeVisible({ timeout: 3_000 });
  const known = await turns(page).count();
  const panes = page.getByRole("region", { name: /^Episode of / });
  await expect(panes).toHaveCount(3);
  await page.getByRole("link", { name: "Run", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Run" })).toBeVisible();
  await page.goBack();
  await expect(panes).toHaveCount(3);
  await expect(turns(page)).toHaveCount(known);
  await start();
  await expect(bar(page)).toHaveCount(0);
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByText("Playing", { exact: true })).toHaveCount(0, { timeout: 60_000 });
  const stored = await Promise.all(
    members.map(async ({ episode_id }: { episode_id: string }) => {
      const { turns } = await (await page.request.get(`/api/episodes/${episode_id}`)).json();
      return turns.length;
    }),
  );
  await expect(turns(page)).toHaveCount(stored.reduce((a: number, b: number) => a + b, 0));
});

test("many runs whose server is killed say so, and go on until every task has been played once", async ({
  page,
}) => {
  test.slow();
  expectErrors(page);
  await page.goto(
    `/many?policies=search,${SLOW}&suites=builtin:simple_pendulum,builtin:damped_pendulum`,
  );
  await page.getByLabel("Seeds", { exact: true }).fill("2");
  await page.getByLabel("Turn budget").fill("3");
  await page.getByLabel("Name", { exact: true }).fill("Cut off");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  const board = page.getByRole("region", { name: "The board" });
  await expect(board.getByText(/^[2-6] of 8 episodes/)).toBeVisible({ timeout: 90_000 });
  await server.kill();
  await expect(bar(page)).toBeVisible({ timeout: 3_000 });
  const table = page.getByRole("region", { name: /by policy and suite$/ });
  await expect(board.getByText(/of 8 episodes/)).toBeVisible();
  await expect(table).toBeVisible();
  await board.getByRole("button", { name: "Pause" }).click();
  await expect(board.getByText(/nothing was sent/)).toBeVisible();
  await start();
  await expect(bar(page)).toHaveCount(0);
  // Whoever plays a board says so every two seconds: one that has been silent for a while was cut off.
  await expect(board).toContainText("Nothing plays this any more", { timeout: 60_000 });
  await page.getByRole("button", { name: /Running now/ }).click();
  await expect(page.getByRole("region", { name: "Running now" })).toContainText("interrupted");
  await page.keyboard.press("Escape");
  await page.reload();
  await board.getByRole("button", { name: "Go on" }).click();
  await expect(board.getByText("8 of 8 episodes")).toBeVisible({ timeout: 90_000 });
  for (const policy of ["search", SLOW])
    await expect(table.getByRole("row", { name: new RegExp(`^${policy}`) })).toContainText("n = 4");
});

test("what has been looked at stays without a server, also after a look elsewhere", async ({
  page,
}) => {
  expectErrors(page);
  const csv = ["t,y", ...Array.from({ length: 30 }, (_, i) => `${i / 10},${0.9 ** i}`)].join("\n");
  const { episode_id: id } = await server.post("/interactive/sessions", { csv });
  await server.post(`/interactive/sessions/${id}/step`, { equation: "dy/dt = -9*y" });
  await server.post(`/interactive/sessions/${id}/abandon`, {});
  // All of them in one page: what one has loaded is there for the way back.
  await page.goto(`/bench/${id}`);
  await expect(page.getByRole("heading", { name: "Over time" })).toBeVisible();
  await page.getByRole("link", { name: "Transcript" }).click();
  await expect(page.getByText(/^turn 1$/)).toBeVisible();
  await page.getByRole("link", { name: "Episodes" }).click();
  await expect(page.getByText(/Select all/)).toBeVisible();
  await server.kill();
  await expect(bar(page)).toBeVisible({ timeout: 3_000 });
  await page.goBack();
  await expect(page.getByText(/^turn 1$/)).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Over time" })).toBeVisible();
  await expect(page.getByRole("region", { name: "What is left over" })).toBeVisible();
  await expect(page.getByText("The server cannot be reached.")).toHaveCount(0);
  await start();
  await expect(bar(page)).toHaveCount(0);
});
