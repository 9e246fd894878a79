import { expect, played, test } from "./page";

test("the first minute: a discovery retold, three doors, the motions and the demos", async ({
  page,
}) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("find the law");
  const story = page.getByRole("region", { name: "A discovery in twenty seconds" });
  const steps = story.locator("[data-on]");
  await expect(steps).toHaveCount(1);
  await expect(story.getByText("match 0.09")).toHaveCount(1);
  // Wrong law, the sentence, the better law: all within twenty seconds and a little.
  await expect(steps).toHaveCount(4, { timeout: 20_000 });
  await expect(story.getByText("match 1.00")).toBeVisible();
  await expect(story.getByRole("button", { name: "Play again" })).toBeVisible();
  const doors = page.getByRole("navigation", { name: "Ways in" }).getByRole("link");
  await expect(doors).toHaveCount(3);
  for (const name of ["Watch", "Try it yourself", "Bring your data"])
    await expect(doors.filter({ hasText: name })).toHaveCount(1);
  const motions = page.getByRole("region", { name: "Systems" }).getByRole("listitem");
  await expect(motions).toHaveCount(8);
  await expect(motions.locator("canvas")).toHaveCount(8);
  await expect(motions.filter({ hasText: "theta for its sine" })).toHaveCount(1);
  await expect(page.getByRole("region", { name: "Demos" }).getByRole("link")).toHaveCount(7);
  await page.getByRole("link", { name: "Watch: Damped pendulum" }).click();
  await expect(page.getByRole("combobox", { name: /^System/ })).toHaveValue("damped_pendulum");
  await expect(page).toHaveURL(/pace=slow/);
});

test("at the slow pace each turn plays once before the next is shown", async ({ page }) => {
  const id = await played(page);
  await page.goto(`/run/${id}?pace=slow`);
  const verdict = page.getByRole("region", { name: "Verdict" });
  await expect(verdict).toContainText("Turn 1: match 0.1");
  const began = Date.now();
  await expect(verdict).not.toContainText("Solved");
  await expect(verdict).toContainText("Turn 2: match 1.00", { timeout: 20_000 });
  // Its motion lasts 8.8 s, of which six are shown.
  expect(Date.now() - began).toBeGreaterThan(4_000);
  await expect(verdict).toContainText("Solved");
});

test("a comparison begins with two that have something to show", async ({ page }) => {
  await page.goto("/compare");
  const chosen = page.getByRole("group", { name: "Policies on the same task" });
  await expect(chosen.getByRole("checkbox", { checked: true })).toHaveCount(2);
  await expect(chosen.getByRole("checkbox", { name: "Nano, untrained" })).not.toBeChecked();
  await expect(page.getByRole("combobox", { name: /^System/ })).toHaveValue("damped_pendulum");
});
