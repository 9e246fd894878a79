import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "./page";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

test("many runs are counted, started, watched, and come to a board whose address holds everything", async ({
  page,
}) => {
  await page.goto("/many?policies=search,nano&suites=builtin:free_fall");
  await page.getByLabel("Seeds", { exact: true }).fill("2");
  await expect(page.getByText("4 episodes")).toBeVisible();
  await page.getByLabel("Noise, in percent").fill("much");
  await expect(page.getByText("Write percentages")).toBeVisible();
  await expect(page.getByRole("button", { name: "Start", exact: true })).toBeDisabled();
  await page.getByLabel("Noise, in percent").fill("1");
  await page.getByLabel("Name", { exact: true }).fill("Two on one");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(page.getByRole("heading", { level: 2, name: "Two on one" })).toBeVisible();
  await expect(page.getByText("4 of 4 episodes")).toBeVisible({ timeout: 90_000 });
  // By its policy: until the last episode is in, rows may still change places.
  const table = page.getByRole("region", { name: "Solved by policy and suite" });
  await table
    .getByRole("row", { name: /^search/ })
    .getByRole("button", { name: /n = 2/ })
    .click();
  await expect(page).toHaveURL(/of=search/);
  await page.reload();
  const episodes = page.getByRole("region", { name: "Episodes of search on builtin" });
  await expect(episodes.getByRole("link", { name: "free_fall" }).first()).toBeVisible();
  await expect(page.getByRole("region", { name: "Paired differences" })).toContainText("n = 2");
  // What tells of the truth is kept from a player of so few tasks: asked for by hand, it says who is told.
  await page.getByLabel("Number").selectOption("recovered");
  await expect(page.getByRole("region", { name: "Paired differences" })).toContainText(
    "told over 20 episodes and more, or to the operator",
  );
  await page.getByLabel("Number").selectOption("solved");
  // What the suite pools is told system by system too, and the address holds which; one leads to its episodes.
  await page.getByLabel("Columns").selectOption("system");
  await expect(page).toHaveURL(/by=system/);
  await page.reload();
  const systems = page.getByRole("region", { name: /by policy and system$/ });
  await expect(systems.getByRole("columnheader", { name: /^builtin:free_fall/ })).toBeVisible();
  await systems.getByRole("button", { name: /n = 2/ }).first().click();
  await expect(
    page.getByRole("region", { name: "Episodes of search on builtin:free_fall" }).getByRole("link"),
  ).toHaveCount(2);
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Markdown" }).click(),
  ]);
  expect(file.suggestedFilename()).toMatch(/\.md$/);
  for (const [path, colorScheme] of [
    [page.url(), "light"],
    ["/board", "dark"],
    ["/many", "light"],
  ] as const) {
    await page.emulateMedia({ colorScheme });
    await page.goto(path);
    await page.waitForLoadState("networkidle");
    const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
    expect(violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`)).toEqual([]);
  }
  await expect(page.getByRole("link", { name: "Board" })).toBeVisible();
});
