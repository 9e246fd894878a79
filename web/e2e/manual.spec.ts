import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, played, test } from "./page";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** A task of one's own, with the field of its equation. */
async function begun(page: Page) {
  await page.goto("/manual?system=damped_pendulum&seed=7");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  return page.getByLabel("d2theta/dt2 =");
}

test("a hypothesis in any notation is tried while it is written and judged when it is submitted", async ({
  page,
}) => {
  const field = await begun(page);
  const verdict = page.locator("#verdict");
  await field.fill("-w*sin(θ)^2");
  await expect(verdict).toContainText("Read as d2theta/dt2 = -w*sin(theta)**2");
  await field.fill("-w*sin(thta");
  await expect(verdict).toContainText("is never closed");
  await field.fill("-w*sin(thta)");
  await verdict.getByRole("button", { name: /did you mean theta/ }).click();
  await expect(field).toHaveValue("-w*sin(theta)");
  await field.fill("-w*sin(theta) - b*dtheta");
  await expect(verdict).toContainText("5 operators");
  await expect(verdict).toContainText("worth 0.15 of 0.20");
  await expect(page.getByText("preview").first()).toBeVisible();
  const match = page.getByTestId("match");
  const before = await match.innerText();
  await page.getByLabel("w, slider").press("PageUp");
  await expect(match).not.toHaveText(before);
  await page.getByRole("button", { name: "Fit constants" }).click();
  await expect(match).toHaveText(/^(0\.99|1\.0)/);
  await expect(page.getByLabel("w", { exact: true })).toHaveValue(/^4\.8/);
  // The draft is there again after a reload.
  await page.reload();
  await expect(field).toHaveValue("-w*sin(theta) - b*dtheta");
  await expect(page.getByLabel("w", { exact: true })).toHaveValue(/^4\.8/);
  await field.press("Control+Enter");
  await expect(page.getByRole("button", { name: /^Turn 1: match/ })).toBeVisible();
  await expect(page.getByText("Solved").first()).toBeVisible();
  // After the end: the law and the true one from elsewhere.
  await page.getByRole("button", { name: "Twice as far" }).click();
  await expect(page.getByLabel("θ(0)", { exact: true })).toHaveValue(/^-2\.6/);
  await expect(
    page.getByRole("img", { name: /theta from the start you chose, R² 1 against/ }).first(),
  ).toBeVisible();
});

test("what the verifier finds is a press away, can be undone, and earlier laws come back", async ({
  page,
}) => {
  const field = await begun(page);
  await field.fill("-4.27*theta");
  await page.getByText("Numbers in the text").waitFor();
  await field.press("Control+Enter");
  await page.getByRole("button", { name: "All of it" }).click();
  await expect(field).toHaveValue(/sin\(theta\)/);
  await expect(field).toHaveValue(/dtheta/);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(field).toHaveValue("-4.27*theta");
  await page.getByRole("button", { name: "Redo" }).click();
  await expect(field).not.toHaveValue("-4.27*theta");
  await page.getByText("Earlier laws").click();
  await page.getByRole("button", { name: "d2theta/dt2 = -4.27*theta" }).click();
  await expect(field).toHaveValue("-4.27*theta");
  await field.fill("-k*");
  await field.press("Control+Enter");
  await expect(page.getByText("no turn was spent")).toBeVisible();
  await field.fill("-4.27*dthe");
  await page.getByRole("option", { name: "dtheta" }).click();
  await expect(field).toHaveValue("-4.27*dtheta");
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  expect(violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`)).toEqual([]);
});

test("a recorded turn is forked and gone on with by hand", async ({ page }) => {
  const id = await played(page);
  await page.goto(`/episodes/${id}?turn=1`);
  await page.getByRole("button", { name: "Fork from turn 1" }).click();
  await page.getByRole("link", { name: "Go on by hand from turn 1" }).click();
  await expect(page.getByLabel("d2theta/dt2 =")).not.toHaveValue("");
  await expect(page.getByRole("button", { name: /^Turn 1:/ })).toBeVisible();
});
