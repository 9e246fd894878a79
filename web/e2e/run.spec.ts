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

test("every rule of an episode can be said before it starts", async ({ page }) => {
  await page.goto("/run?system=damped_spring&seed=7");
  await page.getByText("Noise, motions and rules").click();
  await page.getByLabel("Noise, in percent").fill("0.5");
  await page.getByLabel("Motions shown").fill("2");
  await page.getByLabel("Solved when").selectOption("strict");
  await page.getByLabel("Constants that a law leaves open").selectOption("fitted");
  await page.getByLabel("Functions").selectOption("extended");
  await page.getByLabel("Reward").selectOption("gain");
  await page.getByLabel("Turn budget").fill("5");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(page.getByText("Complete")).toBeVisible();
  const id = new URL(page.url()).pathname.replace("/run/", "");
  const { task, config } = await (await page.request.get(`/api/episodes/${id}`)).json();
  expect(task.noise).toBeCloseTo(0.005, 12);
  expect(task.shown).toHaveLength(2);
  expect(config).toMatchObject({ max_turns: 5, reward_mode: "gain" });
  expect(config.verifier).toMatchObject({
    profile: "strict",
    constants: "fitted",
    functions: "extended",
  });
  await expect(page.getByText("motion 1 of 2")).toBeVisible();
});

test("a transcript has every turn with prompt, reply, verdict, tokens and seconds, and failures alone", async ({
  page,
}) => {
  const ended = async (policy: string) => {
    const task = { system_id: "damped_pendulum", seed: 7, policy, max_turns: 3 };
    const made = await page.request.post("/interactive/sessions", { data: task });
    const { episode_id: id } = await made.json();
    await page.request.post(`/interactive/sessions/${id}/run`, { data: {} });
    const status = async () =>
      (await (await page.request.get(`/api/episodes/${id}`)).json()).status;
    await expect.poll(status).toBe("finished");
    return id;
  };
  const id = await ended("nano-early");
  await page.goto(`/episodes/${id}/transcript`);
  const turns = page.locator("main details");
  await expect(turns).toHaveCount(3);
  const first = turns.first();
  await expect(first.locator("summary")).toContainText(
    /turn 1.*match.*d2theta\/dt2.*\d s.*\d+ tok/s,
  );
  await first.locator("summary").click();
  for (const said of ["Prompt, user", "Reply"])
    await expect(first.getByText(said, { exact: true })).toBeVisible();
  await expect(first.getByRole("region", { name: "Verdict" })).toContainText(/tokens read/);
  await expect(first.getByRole("region", { name: "Findings" })).toContainText(/off χ²/);
  await expect(page.getByLabel("Failures only (0)")).toBeVisible();
  const failing = await ended("nano-untrained");
  await page.goto(`/episodes/${failing}/transcript`);
  await page.getByLabel("Failures only (3)").check();
  await expect(page).toHaveURL(/only=failures/);
  await expect(turns).toHaveCount(3);
  await expect(turns.first()).toContainText("did not parse");
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
