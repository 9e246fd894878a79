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

test("a shipped demo is replayed from its recorded events", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("link", { name: "A damped pendulum, three ways" }).click();
  await expect(page.getByRole("region", { name: "Episode of search" })).toContainText("Solved");
  await page.getByRole("combobox", { name: /^Second/ }).selectOption({ label: "Operon" });
  await expect(page.getByRole("region", { name: "Episode of operon" })).toContainText("Solved");
});
