import { readFileSync } from "node:fs";
import { expect, expectErrors, played, test } from "./page";

test("an episode runs to its end and a reload finds the same reward", async ({ page }) => {
  await played(page);
  const reward = await page.getByTestId("reward").innerText();
  await page.reload();
  await expect(page.getByText("Complete")).toBeVisible();
  await expect(page.getByTestId("reward")).toHaveText(reward, { useInnerText: true });
});

test("a stream that is cut goes on where it was, with no turn twice", async ({ page }) => {
  expectErrors(page);
  await page.goto("/run?system=damped_pendulum&seed=11&policy=nano-untrained");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(page.getByRole("button", { name: /^Turn 1:/ })).toBeVisible();
  await page.context().setOffline(true);
  await page.evaluate(() => window.dispatchEvent(new Event("offline")));
  await page.context().setOffline(false);
  await page.evaluate(() => window.dispatchEvent(new Event("online")));
  await expect(page.getByText("Complete")).toBeVisible();
  const id = new URL(page.url()).pathname.replace("/run/", "");
  const stored = await page.request.get(`/api/episodes/${id}`);
  const { turns } = await stored.json();
  await expect(page.getByRole("button", { name: /^Turn \d+:/ })).toHaveCount(turns.length);
});

test("turn, chart and time are in the address, and back goes back", async ({ page }) => {
  const id = await played(page);
  await page.goto(`/episodes/${id}?turn=1&chart=phase&t=2`);
  await expect(page.getByRole("button", { name: /^Turn 1:/ })).toHaveAttribute(
    "aria-pressed",
    "true",
  );
  await expect(page.getByRole("button", { name: "Phase portrait" })).toHaveAttribute(
    "aria-pressed",
    "true",
  );
  await expect(page.getByLabel("Time", { exact: true })).toHaveValue(/^(1\.99|2)/);
  await page.getByLabel("Time", { exact: true }).fill("4");
  await expect(page.getByLabel("Time", { exact: true })).toHaveValue(/^(3\.99|4)/);
  await expect(page.getByRole("group", { name: "Playback" })).toContainText("4.00 /");
  await page.goto(`/episodes/${id}?turn=99&chart=pie&t=x`);
  await expect(page.getByText("Complete")).toBeVisible();
  await expect(page.getByRole("group", { name: "Playback" })).toContainText(/\d \/ \d/);
  await page.goto("/episodes");
  await page.getByRole("link", { name: "Damped pendulum", exact: true }).first().click();
  await expect(page).toHaveURL(/\/episodes\/./);
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Episodes" })).toBeVisible();
  await page.goForward();
  await expect(page.getByRole("heading", { name: "Replay" })).toBeVisible();
});

test("keys move through turns, time and charts, and stay out of fields", async ({ page }) => {
  await played(page);
  await page.locator("main").focus();
  await page.keyboard.press("[");
  await expect(page).toHaveURL(/turn=1/);
  await page.keyboard.press("2");
  await expect(page).toHaveURL(/chart=phase/);
  await page.keyboard.press(" ");
  await expect(page.getByRole("button", { name: "Play the motion" })).toBeVisible();
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await page.getByLabel("Time", { exact: true }).focus();
  await page.keyboard.press("1");
  await expect(page).toHaveURL(/chart=phase/);
  await page.locator("main").focus();
  await page.keyboard.press("g");
  await page.keyboard.press("t");
  await expect(page.getByRole("heading", { name: "Training", exact: true })).toBeVisible();
});

test("what is on the screen is exported, and a chord is not its second key", async ({ page }) => {
  await played(page);
  await page.locator("main").focus();
  await page.keyboard.press("e");
  await expect(page.getByRole("button", { name: "Copy equation as LaTeX" })).toBeFocused();
  await page.keyboard.press("Escape");
  const saved = async (name: string) => {
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name }).click(),
    ]);
    return { name: file.suggestedFilename(), text: readFileSync(await file.path(), "utf8") };
  };
  const svg = await saved("Save as SVG");
  expect(svg.name).toBe("damped_pendulum-time.svg");
  expect(svg.text).toContain("Damped pendulum: search");
  expect(svg.text).toContain("seed 7");
  expect(svg.text).not.toContain("var(");
  expect((await saved("Save as PNG")).text).toContain("PNG");
  await page.locator("main").focus();
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await expect(page.getByRole("heading", { name: "Compare", exact: true })).toBeVisible();
  await expect(page.getByText("Link copied")).toHaveCount(0);
});

test("an episode plays itself, turn by turn", async ({ page }) => {
  const id = await played(page);
  await page.goto(`/episodes/${id}`);
  await expect(page.getByRole("list", { name: "Changes since turn 1" })).toContainText("added");
  await page.getByRole("button", { name: "Play episode" }).click();
  await expect(page.getByRole("button", { name: "Playing turn 1 of 2" })).toBeVisible();
  await expect(page).toHaveURL(/turn=1/);
  await expect(page.getByRole("button", { name: "Playing turn 2 of 2" })).toBeVisible({
    timeout: 15_000,
  });
  await page.getByRole("button", { name: "Playing turn 2 of 2" }).click();
  await expect(page.getByRole("button", { name: "Play episode" })).toBeVisible();
});

test("what a model was asked is shown again, word for word", async ({ page }) => {
  await page.goto("/run?system=damped_pendulum&seed=7&policy=nano");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(page.getByText("Complete")).toBeVisible();
  const id = new URL(page.url()).pathname.replace("/run/", "");
  await page.goto(`/episodes/${id}`);
  await page.getByText("Prompt and raw completion").click();
  await expect(page.getByText("user, turn 1")).toBeVisible();
  await expect(page.getByText("completion, turn 1")).toBeVisible();
});

test("who wants no motion gets a still picture that can be played", async ({
  browser,
  baseURL,
}) => {
  const context = await browser.newContext({
    reducedMotion: "reduce",
    ...(baseURL && { baseURL }),
  });
  const page = await context.newPage();
  await played(page);
  await expect(page.getByRole("button", { name: "Play the motion" })).toBeVisible();
  await page.getByRole("button", { name: "Play the motion" }).click();
  await expect(page.getByRole("button", { name: "Pause the motion" })).toBeVisible();
  await context.close();
});
