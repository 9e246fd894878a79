import { expect, expectErrors, played, test } from "./page";

test("episodes are filtered, chosen, compared and opened from the keyboard", async ({ page }) => {
  await played(page, "free_fall");
  await played(page);
  await page.goto("/episodes?system=damped_pendulum");
  const table = page.getByRole("table");
  await expect(table.getByRole("row", { name: /Damped pendulum/ }).first()).toBeVisible();
  await expect(table.getByRole("row", { name: /Free fall/ })).toHaveCount(0);
  await page.getByRole("button", { name: /System: damped_pendulum/ }).click();
  await expect(table.getByRole("row", { name: /Free fall/ }).first()).toBeVisible();
  await page.getByLabel("Episodes: arrow keys move").focus();
  await page.keyboard.press("x");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("x");
  await page.getByRole("link", { name: "Compare selected" }).click();
  await expect(page.getByRole("table", { name: "Standings" })).toBeVisible();
});

test("the list is sorted by any column, in the address too", async ({ page }) => {
  await played(page, "free_fall");
  await played(page);
  await page.goto("/episodes");
  await page.getByRole("button", { name: "Turns", exact: true }).click();
  await expect(page).toHaveURL(/sort=-turns/);
  await expect(page.getByRole("columnheader", { name: "Turns" })).toHaveAttribute(
    "aria-sort",
    "descending",
  );
  await page.getByRole("button", { name: "Turns", exact: true }).click();
  await expect(page).toHaveURL(/sort=turns/);
  await page.reload();
  const turns = () =>
    page
      .getByRole("row")
      .filter({ hasText: / of \d/ })
      .evaluateAll((rows) =>
        rows.map((row) => Number.parseInt(row.children[4]?.textContent ?? "", 10)),
      );
  await expect.poll(async () => (await turns()).length).toBeGreaterThan(1);
  const found = await turns();
  expect(found).toEqual([...found].sort((a, b) => a - b));
});

test("an episode that is not there is named, and the list offered", async ({ page }) => {
  expectErrors(page);
  for (const path of ["/episodes/nobody", "/run/nobody", '/compare?episode=["nobody","none"]']) {
    await page.goto(path);
    await expect(page.getByRole("alert")).toContainText("Episode nobody");
    await expect(page.getByRole("alert").getByRole("link")).toBeVisible();
  }
});

test("an exported file is opened again, and a changed one is refused", async ({ page }) => {
  const id = await played(page);
  const exported = await page.request.get(`/api/episodes/export?episode=${id}`);
  const text = await exported.text();
  await page.goto("/file");
  const choose = (body: string) =>
    page.getByLabel(/Exported log/).setInputFiles({
      name: "one.jsonl",
      mimeType: "application/jsonl",
      buffer: Buffer.from(body),
    });
  await choose(text.replace("0.95", "0.96").replace("search", "nobody"));
  await expect(page.getByRole("alert")).toContainText("checksum does not fit");
  await choose(text);
  await expect(page.getByText("Local file, not verified")).toBeVisible();
  await expect(page.getByRole("region", { name: "Episode of search" })).toContainText("Solved");
});
