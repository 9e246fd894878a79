import { expect, test } from "./page";

test("policies are compared on one task, on one stream, and nobody wins by reward", async ({
  page,
}) => {
  const streams: string[] = [];
  page.on("request", (request) => {
    if (request.headers().accept === "text/event-stream") streams.push(request.url());
  });
  await page.goto("/compare");
  await page.getByLabel("Seed").fill("7");
  for (const name of ["Nano, untrained"]) await page.getByLabel(name, { exact: true }).check();
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
  await expect(page.getByRole("region", { name: "Episode of search" })).toContainText("Solved");
  await page.getByRole("combobox", { name: /^Second/ }).selectOption({ label: "Operon" });
  await expect(page.getByRole("region", { name: "Episode of operon" })).toContainText("Solved");
});
