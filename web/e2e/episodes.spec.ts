import { readFileSync } from "node:fs";
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

test("tags and notes are written, found again and taken away; what was said is searched", async ({
  page,
}) => {
  const begun = await page.request.post("/interactive/sessions", {
    data: { system_id: "simple_pendulum", seed: 3, policy: "you" },
  });
  const { episode_id: id } = await begun.json();
  await page.request.post(`/interactive/sessions/${id}/step`, {
    data: {
      equation: "d2theta/dt2 = -7.125*theta",
      rationale: "A small swing looks like a harmonic one.",
    },
  });
  await page.goto(`/episodes/${id}`);
  const labels = page.getByRole("region", { name: "Tags and note" });
  await labels.getByLabel("Add a tag").fill("figure=2");
  await labels.getByRole("button", { name: "Add" }).click();
  await labels.getByLabel("Add a tag").fill("keep");
  await labels.getByRole("button", { name: "Add" }).click();
  await expect(labels.getByRole("button", { name: /^keep/ })).toBeVisible();
  await labels.getByLabel("Note").fill("Shown at the seminar.");
  await labels.getByRole("button", { name: "Save the note" }).click();
  await expect(labels.getByRole("button", { name: "Save the note" })).toHaveCount(0);
  await page.reload();
  await expect(labels.getByLabel("Note")).toHaveValue("Shown at the seminar.");

  await page.goto("/episodes");
  const rows = page.getByRole("row", { name: /by you/ });
  const search = page.getByRole("searchbox", { name: "Search" });
  // By its equation, by what was said, by its note; and what nobody said is not found.
  for (const words of ["7.125", "harmonic", "seminar"]) {
    await search.fill(words);
    await expect(page).toHaveURL(new RegExp(`q=.*${words}`));
    await expect(page.getByText(/^1 episode$/)).toBeVisible();
    await expect(rows).toHaveCount(1);
  }
  await page.getByRole("link", { name: "where it says so" }).click();
  await expect(page).toHaveURL(new RegExp(`${id}/transcript\\?q=seminar`));
  await page.goBack();
  await search.fill("nobody said this");
  await expect(page.getByText("No episode passes these filters.")).toBeVisible();
  await page.getByRole("button", { name: "Clear the filters" }).click();
  await page.getByRole("combobox", { name: "Tag", exact: true }).selectOption("figure=2");
  await expect(page).toHaveURL(/label=.*figure/);
  await expect(rows).toHaveCount(1);
  await page.goto(`/episodes/${id}`);
  await labels.getByRole("button", { name: /^figure=2/ }).click();
  await expect(labels.getByRole("button", { name: /^figure=2/ })).toHaveCount(0);
  await page.goto('/episodes?label=["figure=2"]');
  await expect(page.getByText("No episode passes these filters.")).toBeVisible();
});

test("all that pass a filter are selected, tagged, exported and played again", async ({ page }) => {
  await played(page, "free_fall");
  const begun: string[] = [];
  for (let seed = 0; seed < 3; seed++) {
    const data = { system_id: "spring_mass", seed, policy: "you" };
    const made = await page.request.post("/interactive/sessions", { data });
    begun.push((await made.json()).episode_id);
  }
  await page.goto("/episodes?system=spring_mass&policy=you");
  await expect(page.getByText("3 episodes")).toBeVisible();
  await page.getByRole("button", { name: "Select all 3" }).click();
  await expect(page.getByText("3 episodes, 3 selected")).toBeVisible();
  // Those that are still played have no export yet, and the page says so instead of failing.
  await expect(
    page.getByText("None of them has ended: there is nothing to export yet."),
  ).toBeVisible();
  for (const id of begun.slice(0, 2))
    await page.request.post(`/interactive/sessions/${id}/abandon`);
  await page.reload();
  await page.getByRole("button", { name: "Select all 3" }).click();
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Export 2 of 3, which have ended" }).click(),
  ]);
  const lines = readFileSync(await file.path(), "utf8");
  for (const id of begun.slice(0, 2)) expect(lines).toContain(id);
  expect(lines).not.toContain(begun[2]);
  await page.getByRole("button", { name: "Tag 3" }).click();
  await page.getByLabel("Add a tag").fill("batch");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await expect(page.getByText("Done.")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("row").getByText("batch", { exact: true })).toHaveCount(3);
  await page.getByRole("button", { name: "Select none" }).click();
  await page
    .getByRole("checkbox", { name: /^Select Weight on a spring/ })
    .first()
    .check();
  await page.getByLabel("Run this task again with").selectOption("nano");
  await expect(
    page.getByRole("heading", { level: 2, name: /^Weight on a spring: nano/ }),
  ).toBeVisible();
  await expect(page).toHaveURL(/\/run\//);
});

test("on a phone a row of the list says whose an episode is, and nothing is cut off", async ({
  page,
}) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const id = await played(page, "free_fall");
  await page.goto("/episodes");
  const row = page.getByRole("row").filter({ hasText: "Free fall" }).first();
  for (const said of ["Free fall", "search", "Solved"])
    await expect(row.getByText(said).first()).toBeInViewport({ ratio: 1 });
  const cut = await page
    .getByRole("row")
    .getByRole("link")
    .evaluateAll((all) => all.filter((one) => one.scrollWidth > one.clientWidth).length);
  expect(cut).toBe(0);
  await page.goto(`/episodes/${id}/transcript`);
  const law = page.locator("summary code").first();
  await expect(law).toContainText("d2y/dt2");
  expect(await law.evaluate((one) => one.scrollWidth - one.clientWidth)).toBeLessThanOrEqual(0);
});
