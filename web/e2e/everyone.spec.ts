import { slowLine } from "./line.mjs";
import { expect, played, test } from "./page";

test("a turn is read out when it completes, and the window says what it shows", async ({
  page,
}) => {
  await page.goto("/run?system=damped_pendulum&seed=7");
  await expect(page).toHaveTitle("Run · PhysiX-Live");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(page).toHaveTitle("Damped pendulum: search · PhysiX-Live");
  // Where the content went the focus goes.
  await expect(page.getByRole("heading", { level: 1, name: "Run" })).toBeFocused();
  await expect(page.getByText("Complete")).toBeVisible();
  const id = new URL(page.url()).pathname.replace("/run/", "");
  const begun = await page.request.post(`/interactive/sessions/${id}/fork`, {
    data: { turn: 1, policy: "you" },
  });
  const { episode_id: mine } = await begun.json();
  await page.goto(`/manual/${mine}`);
  const spoken = page.getByRole("status", { name: "Newest turn" });
  await expect(page.getByRole("button", { name: /^Turn 1:/ })).toBeVisible();
  await expect(spoken).toBeEmpty();
  await page.request.post(`/interactive/sessions/${mine}/step`, {
    data: { equation: "d2theta/dt2 = -4*theta", params: {} },
  });
  await expect(spoken).toContainText(/Turn 2: match \d\.\d\d\./);
});

test("all of a turn is on one screen at 1360 × 900", async ({ page }) => {
  await page.setViewportSize({ width: 1360, height: 900 });
  const id = await played(page);
  for (const path of [`/run/${id}`, `/episodes/${id}`]) {
    await page.goto(path);
    await expect(page.locator(".katex").first()).toBeVisible();
    for (const part of [
      ".hint",
      ".verdict",
      ".law",
      ".scene canvas",
      ".curve svg[role=img]",
      ".reward dl",
      ".transport",
    ]) {
      const box = await page.locator(part).first().boundingBox();
      expect(box, part).not.toBeNull();
      expect((box?.y ?? 0) + (box?.height ?? 0), part).toBeLessThanOrEqual(900);
    }
    const turns = await page.getByRole("group", { name: "Turns" }).boundingBox();
    expect((turns?.y ?? 900) + (turns?.height ?? 0)).toBeLessThan(900);
    await expect(page.getByText("Solved")).toBeInViewport();
  }
});

test("at 390 px the order is verdict, law, curve, motion", async ({ page }) => {
  const id = await played(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`/run/${id}`);
  await expect(page.locator(".katex").first()).toBeVisible();
  const tops = await Promise.all(
    [".verdict", ".law", ".curve", ".scene"].map(async (part) =>
      page.locator(part).evaluate((element) => element.getBoundingClientRect().top),
    ),
  );
  expect(tops).toEqual([...tops].sort((a, b) => a - b));
});

test("text at twice its size stays within the page and its own boxes", async ({ page }) => {
  const id = await played(page);
  for (const path of ["/", "/run", `/run/${id}`, "/compare", "/episodes", "/training"]) {
    await page.goto(path);
    await page.waitForLoadState("networkidle");
    const before = await page.locator("main").evaluate((main) => getComputedStyle(main).fontSize);
    // The smallest text of any chart, 0 where there is none.
    const written = () =>
      page.locator("svg[role=img] text").evaluateAll((all) => {
        const sizes = all.map((one) => Number.parseFloat(getComputedStyle(one).fontSize));
        return sizes.length > 0 ? Math.min(...sizes) : 0;
      });
    const least = await written();
    await page.evaluate(() => {
      document.documentElement.style.fontSize = "200%";
      window.dispatchEvent(new Event("resize"));
    });
    const after = await page.locator("main").evaluate((main) => getComputedStyle(main).fontSize);
    expect(Number.parseFloat(after)).toBe(2 * Number.parseFloat(before));
    expect(await written(), path).toBeCloseTo(2 * least, 5);
    const over = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await expect.poll(over, path).toBeLessThanOrEqual(0);
  }
});

test("forced colours keep maths and drawings legible", async ({ page }) => {
  const id = await played(page);
  await page.emulateMedia({ forcedColors: "active", reducedMotion: "reduce" });
  await page.goto(`/run/${id}`);
  await expect(page.locator(".katex").first()).toBeVisible();
  const colours = await page.evaluate(() => {
    const probe = document.createElement("span");
    probe.style.color = "CanvasText";
    document.body.append(probe);
    const text = getComputedStyle(probe).color;
    const maths = document.querySelector(".katex .mord");
    const ring = document.querySelector("path[data-rows]");
    return [text, maths && getComputedStyle(maths).color, ring && getComputedStyle(ring).stroke];
  });
  expect(colours[1]).toBe(colours[0]);
  expect(colours[2]).toBe(colours[0]);
});

test("on a slow line there is text to read before the script has come", async ({ page }) => {
  await page.route("**/assets/*.js", () => {
    // Never answered: the script is still on its way.
  });
  await page.goto("/", { waitUntil: "commit" });
  await expect(page.getByRole("heading", { level: 1 })).toContainText("find the law");
  await expect(page.getByText(/The page is loading/)).toBeVisible();
});

test("at 50 kB a second there is text at once, and a door opens as soon as the script has come", async ({
  page,
}) => {
  await slowLine(page);
  const scripts = new Map<string, string | undefined>();
  page.on("response", (answer) => {
    if (answer.url().endsWith(".js"))
      scripts.set(answer.url(), answer.headers()["content-encoding"]);
  });
  await page.goto("/", { waitUntil: "commit" });
  await expect(page.getByText(/The page is loading/)).toBeVisible();
  await page.getByRole("link", { name: /^Bring your data/ }).click();
  // Sent as small as it is counted in the budget.
  expect(scripts.size).toBeGreaterThan(0);
  expect(new Set(scripts.values())).toEqual(new Set(["gzip"]));
  await expect(page.getByRole("heading", { level: 1, name: "Your data" })).toBeVisible();
});

test("Escape closes what is open", async ({ page }) => {
  await played(page);
  await page.getByRole("button", { name: "Export", exact: true }).click();
  await expect(page.getByRole("button", { name: "Copy equation as LaTeX" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "Copy equation as LaTeX" })).toBeHidden();
  await page.getByRole("button", { name: "Keys" }).click();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
});
