import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { expect, test } from "./page";

const POLICIES = ["search", "nano", "nano-untrained", "search", "nano", "nano-untrained"];

/** As many episodes of one task, each played to its end, on the screen. */
async function compared(page: Page, policies: string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const policy of policies) {
    const task = { system_id: "damped_pendulum", seed: 7, max_turns: 3, policy };
    const made = await page.request.post("/interactive/sessions", { data: task });
    expect(made.ok(), await made.text()).toBe(true);
    const { episode_id: id } = await made.json();
    await page.request.post(`/interactive/sessions/${id}/run`, { data: {} });
    ids.push(id);
  }
  await page.goto(`/compare?episode=${JSON.stringify(ids)}`);
  const standings = page.getByRole("table", { name: "Standings" });
  await expect(standings.getByRole("row")).toHaveCount(1 + Math.min(6, ids.length));
  await expect(standings.getByText("Playing")).toHaveCount(0);
  return ids;
}

const pane = (page: Page) => page.getByRole("region", { name: /^Episode of / });

test("policies are compared on one task, on one stream, and nobody wins by reward", async ({
  page,
}) => {
  const streams: string[] = [];
  page.on("request", (request) => {
    if (request.headers().accept === "text/event-stream") streams.push(request.url());
  });
  await page.goto("/compare");
  await page.getByLabel("Seed").fill("7");
  await expect(page.getByLabel("Nano, untrained", { exact: true })).toBeVisible();
  // What is chosen at first depends on the models that are there.
  const chosen = page.getByRole("checkbox", { checked: true });
  while ((await chosen.count()) > 0) await chosen.first().uncheck();
  for (const name of ["Nano, trained", "Structure search", "Nano, untrained"])
    await page.getByLabel(name, { exact: true }).check();
  await page.getByRole("button", { name: "Compare" }).click();
  const standings = page.getByRole("table", { name: "Standings" });
  await expect(standings.getByRole("row", { name: /^Trained nano / })).toContainText("Solved");
  const last = standings.getByRole("row").last();
  await expect(last).toContainText("Untrained");
  await expect(last).toContainText("Ran out of turns");
  await expect(page.getByRole("status", { name: "Result" })).toContainText(
    "tells them apart no further",
  );
  await expect(page.getByText("★ Best")).toHaveCount(0);
  // One at a time: a connection is closed before another is opened, and a short run may need none.
  expect(streams.length).toBeLessThanOrEqual(2);
  await page.keyboard.press("o");
  await expect(page).toHaveURL(/layout=overlay/);
  await expect(page.getByRole("region", { name: "Overlaid" })).toContainText("Trained");
  // In every layout each says its seed, how it compares with the truth, and where the whole of it is.
  for (const layout of ["Overlaid", "Side by side", "All 3"]) {
    await page.getByRole("button", { name: layout }).click();
    await expect(page.getByText("damped_pendulum, seed 7").first()).toBeVisible();
    await expect(page.getByText(/^The found law is /).first()).toBeVisible();
    await expect(page.getByRole("link", { name: /^Transcript of / }).first()).toBeVisible();
  }
  await page.getByRole("button", { name: "Overlaid" }).click();
  await page.reload();
  await expect(page.getByRole("region", { name: "Overlaid" })).toBeVisible();
});

test("a language model that is not here is fetched from the form, and then compared by default", async ({
  page,
}) => {
  // The server's own words, with a model that comes without a network.
  let state = "absent";
  let done = 0;
  await page.route("**/api/models", async (route) => {
    const [model] = await (await route.fetch()).json();
    const may = { may_fetch: true, reason: null, total_bytes: 93e6, done_bytes: done };
    await route.fulfill({ json: [{ ...model, ...may, state, doing: "downloading" }] });
  });
  await page.route("**/api/policies", async (route) => {
    const all: { name: string }[] = await (await route.fetch()).json();
    const reachable = state === "present";
    const json = all.map((one) =>
      one.name.startsWith("local:smollm2") ? { ...one, reachable } : one,
    );
    await route.fulfill({ json });
  });
  await page.route("**/api/models/smollm2/pull", async (route) => {
    [state, done] = ["fetching", 31e6];
    await route.fulfill({ status: 202, json: {} });
  });
  await page.goto("/compare");
  await expect(page.getByLabel("Nano, trained", { exact: true })).toBeChecked();
  await expect(page.getByLabel("Nano, early", { exact: true })).toBeChecked();
  await page.getByRole("button", { name: "Fetch SmolLM2-135M-Instruct, 93 MB" }).click();
  await expect(page.getByRole("progressbar", { name: /^Fetching SmolLM2/ })).toBeVisible();
  await expect(page.getByText("31 of 93 MB")).toBeVisible();
  state = "present";
  await expect(page.getByLabel("SmolLM2, trained", { exact: true })).toBeChecked();
  await expect(page.getByLabel("SmolLM2, untrained", { exact: true })).toBeChecked();
  await expect(page.getByRole("checkbox", { checked: true })).toHaveCount(2);
});

test("a shipped demo is replayed from its recorded events", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("link", { name: "A damped pendulum, three ways" }).click();
  await expect(pane(page)).toHaveCount(3);
  await page.getByRole("button", { name: "Side by side" }).click();
  await expect(page.getByRole("region", { name: "Episode of search" })).toContainText("Solved");
  await page.getByRole("combobox", { name: /^Second/ }).selectOption({ label: "Operon" });
  await expect(page.getByRole("region", { name: "Episode of operon" })).toContainText("Solved");
});

test("six policies are small multiples on the same axes, with truth, seed, links and files", async ({
  page,
}) => {
  await page.setViewportSize({ width: 1360, height: 900 });
  const ids = await compared(page, POLICIES);
  await expect(page.getByRole("status", { name: "Result" })).not.toBeEmpty();
  await expect(pane(page)).toHaveCount(6);
  // Told by the server, once each has ended.
  await expect(pane(page).getByText(/^The found law is /)).not.toHaveCount(0);
  const trained = page.getByRole("region", { name: "Episode of Trained", exact: true });
  await expect(trained).toContainText(/Generalisation \S+ on motions from other starts/);
  await expect(trained).toContainText("damped_pendulum, seed 7");
  await trained.getByText("The true law beside this one").click();
  await expect(trained.getByRole("region", { name: "The true law, Trained" })).toBeVisible();
  // The numbers along the axes are the same in every pane, and panes of a row start on one line.
  const axes = await pane(page).evaluateAll((all) =>
    all.map((one) =>
      [...one.querySelectorAll("svg[role=img] text[text-anchor=end]")]
        .filter(
          (text) =>
            !text.hasAttribute("data-live") &&
            !text.closest("[data-escape], [fill='var(--danger)']"),
        )
        .map((text) => text.textContent)
        .join(" "),
    ),
  );
  expect(axes[0]).toMatch(/\d/);
  expect(new Set(axes).size).toBe(1);
  const tops = await pane(page).evaluateAll((all) =>
    all.slice(0, 3).map((one) => one.querySelector("svg[role=img]")?.getBoundingClientRect().top),
  );
  expect(new Set(tops).size).toBe(1);
  const [csv] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save standings as CSV" }).click(),
  ]);
  const rows = readFileSync(await csv.path(), "utf8")
    .trimEnd()
    .split("\n");
  expect(rows).toHaveLength(7);
  expect(rows[0]).toContain("generalisation");
  expect(
    rows.slice(1).every((row) => ids.some((id) => row.includes(`,${id},damped_pendulum,7,`))),
  ).toBe(true);
  const [svg] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save as SVG" }).click(),
  ]);
  const drawn = readFileSync(await svg.path(), "utf8");
  expect(drawn.match(/<svg/g)).toHaveLength(7);
  for (const name of ["Trained, turn", "Untrained, turn", "Structure search 2, turn"])
    expect(drawn).toContain(name);
  expect(drawn).not.toContain("var(--");
  const [png] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save as PNG" }).click(),
  ]);
  expect(
    readFileSync(await png.path())
      .subarray(1, 4)
      .toString(),
  ).toBe("PNG");
  await trained.getByRole("link", { name: "Transcript of Trained" }).click();
  await expect(page).toHaveURL(/\/episodes\/.+\/transcript/);
});

test("all that are compared lie in one chart, told apart by colour, dash and name, and any is left out", async ({
  page,
}) => {
  await page.setViewportSize({ width: 1360, height: 900 });
  await compared(page, POLICIES);
  await page.getByRole("button", { name: "Overlaid" }).click();
  const overlaid = page.getByRole("region", { name: "Overlaid" });
  const names = overlaid.getByRole("group", { name: "Drawn" }).getByRole("checkbox");
  await expect(names).toHaveCount(6);
  // Those that did not parse predict nothing, and draw nothing.
  const curves = overlaid.locator("svg[role=img]").first().locator("g[clip-path]").first();
  const looks = () =>
    curves.locator("path").evaluateAll((paths) =>
      paths.map((path) => {
        const { stroke, strokeDasharray } = getComputedStyle(path);
        return `${stroke} ${strokeDasharray}`;
      }),
    );
  await expect(curves.locator("path")).toHaveCount(4);
  const all = await looks();
  expect(new Set(all).size).toBe(4);
  await overlaid.getByLabel("Trained", { exact: true }).uncheck();
  await expect(curves.locator("path")).toHaveCount(3);
  // What is left keeps its look, here and after a reload.
  await expect(page).toHaveURL(/without=/);
  await page.reload();
  await expect(curves.locator("path")).toHaveCount(3);
  expect(all).toEqual(expect.arrayContaining(await looks()));
  await overlaid.getByLabel("Trained", { exact: true }).check();
  await expect(page).not.toHaveURL(/without=/);
  const [svg] = await Promise.all([
    page.waitForEvent("download"),
    overlaid.getByRole("button", { name: "Save as SVG" }).click(),
  ]);
  const drawn = readFileSync(await svg.path(), "utf8");
  for (const said of ["Structure search, turn", "Trained 2, turn", "seed 7", ">Untrained<"])
    expect(drawn).toContain(said);
  expect(drawn).not.toMatch(/var\(--|rem"/);
  await page.setViewportSize({ width: 390, height: 844 });
  await expect(curves.locator("path")).toHaveCount(4);
  await expect
    .poll(() => page.evaluate(() => document.documentElement.scrollWidth))
    .toBeLessThanOrEqual(390);
});

test("on a phone the panes stand below each other, and nothing is wider than the screen", async ({
  page,
}) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await compared(page, POLICIES.slice(0, 3));
  await expect(pane(page)).toHaveCount(3);
  const lefts = await pane(page).evaluateAll((all) =>
    all.map((one) => Math.round(one.getBoundingClientRect().left)),
  );
  expect(new Set(lefts).size).toBe(1);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await page.getByRole("button", { name: "Overlaid" }).click();
  await expect(page.getByRole("region", { name: "Overlaid" })).toBeVisible();
  await page.keyboard.press("o");
  await expect(page).toHaveURL(/layout=all/);
});

test("more than six are not compared, and the page says so", async ({ page }) => {
  await page.route("**/policies", async (route) => {
    const [first] = await (await route.fetch()).json();
    const names = ["one", "two", "three", "four", "five", "six", "seven"];
    await route.fulfill({ json: names.map((name) => ({ ...first, name, title: name })) });
  });
  await page.goto("/compare");
  const start = page.getByRole("button", { name: "Compare", exact: true });
  for (const box of ["one", "two", "three", "four", "five", "six"])
    await page.getByLabel(box, { exact: true }).check();
  await expect(start).toBeEnabled();
  await page.getByLabel("seven", { exact: true }).check();
  await expect(page.getByText("at most 6 are compared")).toBeVisible();
  await expect(start).toBeDisabled();
  await compared(page, [...POLICIES, "search"]);
  await expect(page.getByText("More than 6 episodes were asked for")).toBeVisible();
  await expect(pane(page)).toHaveCount(6);
});
