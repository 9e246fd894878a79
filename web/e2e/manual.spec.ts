import { expect, played, test } from "./page";

test("a hypothesis is previewed while it is typed, and judged when it is submitted", async ({
  page,
}) => {
  await page.goto("/manual?system=damped_pendulum&seed=7");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  const field = page.getByLabel("d2theta/dt2 =");
  await field.fill("-w*sin(theta)^2");
  await expect(page.locator("#verdict")).toContainText("write ** for a power");
  await field.fill("-w*sin(theta) - b*dtheta");
  await expect(page.locator("#verdict")).toContainText("5 operators");
  await expect(page.getByText("preview").first()).toBeVisible();
  await page.getByLabel("w", { exact: true }).fill("4.82");
  await page.getByLabel("b", { exact: true }).fill("0.32");
  await field.press("Control+Enter");
  await expect(page.getByRole("button", { name: /^Turn 1: match/ })).toBeVisible();
  await expect(page.getByText("Solved")).toBeVisible();
});

test("a recorded turn is forked and gone on with by hand", async ({ page }) => {
  const id = await played(page);
  await page.goto(`/episodes/${id}?turn=1`);
  await page.getByRole("button", { name: "Fork from turn 1" }).click();
  await page.getByRole("link", { name: "Go on by hand from turn 1" }).click();
  await expect(page.getByLabel("d2theta/dt2 =")).not.toHaveValue("");
  await expect(page.getByRole("button", { name: /^Turn 1:/ })).toBeVisible();
});
