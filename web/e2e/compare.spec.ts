import { expect, test } from "@playwright/test";

test("the trained and the untrained model are compared on one task", async ({ page }) => {
  const errors: string[] = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto("/compare");
  await page.getByLabel("Seed").fill("7");
  await page.getByRole("button", { name: "Compare" }).click();
  const standings = page.getByRole("table", { name: "Standings" });
  await expect(standings.getByRole("row", { name: /^nano / })).toContainText("solved");
  await expect(standings.getByRole("row", { name: /^nano-untrained / })).toContainText(
    "budget exhausted",
  );
  await expect(page.getByRole("region", { name: "Episode of nano-untrained" })).toContainText(
    "Did not parse",
  );
  expect(errors).toEqual([]);
});

test("a shipped demo is replayed from its recorded events", async ({ page }) => {
  const errors: string[] = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto("/episodes");
  await page.getByRole("link", { name: "A damped pendulum, three ways" }).click();
  await expect(page.getByRole("region", { name: "Episode of search" })).toContainText("solved");
  await expect(page.getByRole("region", { name: "Episode of operon" })).toContainText("solved");
  expect(errors).toEqual([]);
});
