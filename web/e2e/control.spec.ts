import type { BrowserContext, Page, Request } from "@playwright/test";
import { expect, expectErrors, test } from "./page";
import { Server, SlowModel } from "./server";

// Writes on and on, too fast for some machines.
const LASTING = "nano-untrained";
// Takes its time: a run that lasts as long as a test wants it to.
const SLOW = "openai:slow";

const server = new Server();
const model = new SlowModel();
test.beforeAll(async () => {
  await model.start();
  await server.start({ PHYSIX_OPENAI_BASE_URL: model.url });
});
test.afterAll(async () => {
  await server.kill();
  model.stop();
});
test.use({ baseURL: server.url });

const turns = (page: Page) => page.getByRole("button", { name: /^Turn \d+:/ });
const pill = (page: Page, status: string) =>
  page.getByRole("status").filter({ hasText: new RegExp(`^.{0,3}${status}$`) });

test("pause, step and stop stay where they are while a run goes, and mean the policy", async ({
  page,
}) => {
  const id = await server.played(LASTING, 64);
  await page.goto(`/run/${id}`);
  const controls = page.getByRole("group", { name: "The policy" });
  await expect(controls.getByRole("button", { name: "Pause the policy" })).toBeEnabled();
  const places = () =>
    controls.getByRole("button").evaluateAll((buttons) =>
      buttons.map((button) => {
        const { x, y, width, bottom } = button.getBoundingClientRect();
        return [x, y, width, bottom <= innerHeight].join(" ");
      }),
    );
  const height = () => page.locator(".story").evaluate((story) => story.clientHeight);
  await expect(turns(page).first()).toBeVisible();
  const [where, high] = [await places(), await height()];
  expect(where).toHaveLength(3);
  for (const seen of [2, 3, 4]) {
    await expect.poll(() => turns(page).count()).toBeGreaterThanOrEqual(seen);
    expect(await places()).toEqual(where);
    expect(await height()).toBe(high);
  }
  await controls.getByRole("button", { name: "Pause the policy" }).click();
  await expect(pill(page, "Paused")).toBeVisible();
  expect(await places()).toEqual(where);
  const before = await turns(page).count();
  await controls.getByRole("button", { name: "Step one turn" }).click();
  await expect(turns(page)).toHaveCount(before + 1);
  await expect(pill(page, "Paused")).toBeVisible();
  // The motion is another thing, by word and by shape, and goes on.
  await expect(page.getByRole("button", { name: "Pause the motion" })).toHaveClass(/round/);
  await controls.getByRole("button", { name: "Run to the end" }).click();
  await expect(controls.getByRole("button", { name: "Pause the policy" })).toBeEnabled();
  await controls.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("region", { name: "Verdict" })).toContainText("Gave up");
  await expect(pill(page, "Complete")).toBeVisible();
});

test("a comparison is paused and stopped, and Running now does it from any screen", async ({
  page,
}) => {
  const made = await server.post("/api/comparisons", {
    system_id: "damped_spring",
    seed: 7,
    policies: [LASTING, "nano"],
    max_turns: 64,
  });
  await page.goto(`/compare/${made.comparison_id}`);
  const controls = page.getByRole("group", { name: "The policies" });
  await controls.getByRole("button", { name: "Pause the policies" }).click();
  await expect(pill(page, "Paused")).toBeVisible();
  await page.goto("/episodes");
  await page.getByRole("button", { name: /Running now/ }).click();
  const menu = page.getByRole("region", { name: "Running now" });
  const link = "Comparison on Damped weight on a spring";
  await menu.getByRole("button", { name: `Go on with ${link}` }).click();
  await expect(page.getByRole("button", { name: "Running now (1)" })).toBeVisible();
  await menu.getByRole("button", { name: `Pause ${link}` }).click();
  await expect(page.getByRole("button", { name: "Running now (0)" })).toBeVisible();
  await menu.getByRole("link", { name: link }).click();
  await expect(page).toHaveURL(new RegExp(`/compare/${made.comparison_id}`));
  await controls.getByRole("button", { name: "Stop" }).click();
  await expect(pill(page, "Complete")).toBeVisible();
  await page.getByRole("button", { name: /Running now/ }).click();
  await expect(menu).not.toContainText(link);
  await page.keyboard.press("Escape");
  await expect(menu).toHaveCount(0);
  await expect(page.getByRole("button", { name: /Running now/ })).toBeFocused();
});

/** How many streams the pages of a browser hold open. */
function countStreams(context: BrowserContext) {
  const open = new Map<Request, Page>();
  context.on("request", (request) => {
    if (request.headers().accept === "text/event-stream") open.set(request, request.frame().page());
  });
  for (const end of ["requestfinished", "requestfailed"] as const)
    context.on(end as "requestfinished", (request) => open.delete(request));
  // Of a page that is closed nothing is heard.
  return { now: () => [...open.values()].filter((page) => !page.isClosed()).length };
}

/** As if another tab had been brought to the front, or this one. */
const setHidden = (page: Page, hidden: boolean) =>
  page.evaluate((now) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => now });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);

test("six pages on runs that go share one stream, and none when nothing is driven", async ({
  context,
}) => {
  const streams = countStreams(context);
  const ids = [await server.begun(SLOW, 64), await server.begun(SLOW, 64, "free_fall")];
  const pages: Page[] = [];
  for (let i = 0; i < 6; i++) {
    const page = await context.newPage();
    await page.goto(`${server.url}/run/${ids[i % 2]}`);
    pages.push(page);
  }
  // Six unfinished episodes that nobody plays need no connection at all.
  for (const page of pages) await expect(pill(page, "Paused")).toBeVisible();
  await expect.poll(streams.now).toBe(0);
  for (const id of ids) await server.post(`/interactive/sessions/${id}/run`, {});
  for (const page of pages) await expect(pill(page, "Live")).toBeVisible();
  for (const page of pages) await expect.poll(() => turns(page).count()).toBeGreaterThan(0);
  // One that is exchanged for another is counted beside it for a moment.
  await expect.poll(streams.now).toBe(1);
  // The one that holds it goes: another takes over.
  await pages.shift()?.close();
  await pages.shift()?.close();
  await expect.poll(streams.now).toBe(1);
  for (const page of pages.slice(0, 2)) {
    const before = await turns(page).count();
    await expect.poll(() => turns(page).count()).toBeGreaterThan(before);
  }
  // Pages that nobody looks at hold none; one that is looked at again catches up.
  for (const page of pages) await setHidden(page, true);
  await expect.poll(streams.now).toBe(0);
  const [looked] = pages;
  if (!looked) throw new Error("no page is left");
  const seen = await turns(looked).count();
  await setHidden(looked, false);
  await expect.poll(() => turns(looked).count()).toBeGreaterThan(seen);
  await expect.poll(streams.now).toBe(1);
  for (const page of pages) await setHidden(page, false);
  for (const id of ids) await server.post(`/interactive/sessions/${id}/pause`, {});
  for (const page of pages) await expect(pill(page, "(Paused|Complete)")).toBeVisible();
  await expect.poll(streams.now).toBe(0);
});

test("a server that is killed is said to be gone within three seconds, and what was played on", async ({
  page,
}) => {
  expectErrors(page);
  const id = await server.played(LASTING, 64);
  await page.goto(`/run/${id}`);
  await expect.poll(() => turns(page).count()).toBeGreaterThan(1);
  await server.kill();
  const bar = page.getByRole("alert", { name: "Connection" });
  await expect(bar).toBeVisible({ timeout: 3_000 });
  const known = await turns(page).count();
  await expect(bar).toContainText(`Disconnected, known up to turn ${known}`);
  await expect(bar).toContainText(/Next attempt in \d+ s/);
  await expect(page.locator("svg[role=img]").first()).toBeVisible();

  // The content stays, also after a look elsewhere; nothing that is asked for now happens later.
  const posts: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST") posts.push(request.url());
  });
  await page.getByRole("link", { name: "Run", exact: true }).click();
  await page
    .getByRole("button", { name: "Start", exact: true })
    .click({ force: true, timeout: 5_000 })
    .catch(() => {});
  await page.goBack();
  await expect(turns(page)).toHaveCount(known);
  await page
    .getByRole("group", { name: "The policy" })
    .getByRole("button", { name: "Stop" })
    .click();
  await expect(page.getByText(/nothing was sent/).first()).toBeVisible();

  await bar.getByRole("button", { name: "Try now" }).click();
  await expect(bar).toBeVisible();
  await server.start({ PHYSIX_OPENAI_BASE_URL: model.url });
  await expect(bar).toHaveCount(0);
  await expect(page.getByText(/Nothing plays this any more/)).toBeVisible();
  await expect(pill(page, "Paused")).toBeVisible();
  expect(posts).toEqual([]);
  await page.getByRole("button", { name: "Go on" }).click();
  await expect.poll(() => turns(page).count()).toBeGreaterThan(known);
  await expect(pill(page, "Live")).toBeVisible();
  await page
    .getByRole("group", { name: "The policy" })
    .getByRole("button", { name: "Stop" })
    .click();
  await expect(pill(page, "Complete")).toBeVisible();
});

test("offline, Start and Submit say at once that nothing was sent", async ({ page, context }) => {
  expectErrors(page);
  await page.goto("/run?system=damped_pendulum&seed=7");
  await expect(page.getByRole("button", { name: "Start", exact: true })).toBeEnabled();
  const posts: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST") posts.push(request.url());
  });
  await context.setOffline(true);
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(page.getByText(/nothing was sent/)).toBeVisible({ timeout: 2_000 });
  await context.setOffline(false);
  await expect(page.getByRole("alert", { name: "Connection" })).toHaveCount(0);
  await page.waitForLoadState("networkidle");
  expect(posts).toEqual([]);
  await expect(page).toHaveURL(/\/run\?/);

  // A law that is written stays written, and no turn is spent on it by itself.
  await page.goto("/manual?system=damped_pendulum&seed=7");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  const field = page.getByLabel("d2theta/dt2 =");
  await field.fill("-4*theta");
  await expect(page.getByText("Numbers in the text")).toBeVisible();
  posts.length = 0;
  await context.setOffline(true);
  await field.press("Control+Enter");
  await expect(page.getByText(/nothing was sent/).first()).toBeVisible({ timeout: 2_000 });
  await context.setOffline(false);
  await expect(page.getByRole("alert", { name: "Connection" })).toHaveCount(0);
  await page.waitForLoadState("networkidle");
  expect(posts.filter((url) => url.endsWith("/step"))).toEqual([]);
  await expect(field).toHaveValue("-4*theta");
  await field.press("Control+Enter");
  await expect(page.getByRole("button", { name: /^Turn 1:/ })).toBeVisible();
});

test("a request that takes long says for what the page waits", async ({ page }) => {
  let answer = () => {};
  const held = new Promise<void>((done) => {
    answer = done;
  });
  await page.route("**/api/policies", async (route) => {
    await held;
    await route.continue();
  });
  await page.goto("/run");
  await expect(page.getByRole("status", { name: "Waiting" })).toContainText(
    "Waiting for the policies, and whether each can be reached",
  );
  answer();
  await expect(page.getByRole("status", { name: "Waiting" })).toHaveCount(0);
});
