import { expect, test } from "./page";

test("the trained and the untrained model are compared on one task, on one stream", async ({
  page,
}) => {
  const streams: string[] = [];
  page.on("request", (request) => {
    if (request.headers().accept === "text/event-stream") streams.push(request.url());
  });
  await page.goto("/compare");
  await page.getByLabel("Seed").fill("7");
  await page.getByRole("button", { name: "Compare" }).click();
  const standings = page.getByRole("table", { name: "Standings" });
  await expect(standings.getByRole("row", { name: /^Trained nano / })).toContainText("Solved");
  await expect(standings.getByRole("row", { name: /^Untrained nano-untrained / })).toContainText(
    "Ran out of turns",
  );
  await expect(standings.getByRole("row", { name: /^Difference/ })).toBeVisible();
  await expect(page.getByRole("region", { name: "Episode of nano-untrained" })).toContainText(
    "Did not parse",
  );
  expect(streams).toHaveLength(1);
  await page.keyboard.press("o");
  await expect(page).toHaveURL(/layout=overlay/);
  await expect(page.getByRole("region", { name: "Overlaid" })).toContainText("Untrained");
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
