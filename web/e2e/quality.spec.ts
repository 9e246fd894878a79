import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, played, test } from "./page";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

async function screens(page: Page): Promise<[string, string][]> {
  const id = await played(page);
  const other = await played(page);
  return [
    ["/", "Watch an agent"],
    ["/run", "Run"],
    [`/run/${id}`, "Run"],
    ["/manual", "Manual"],
    ["/compare", "Compare"],
    [`/compare?episode=["${id}","${other}"]`, "Compare"],
    ["/episodes", "Episodes"],
    [`/episodes/${id}`, "Replay"],
    ["/demos/damped-pendulum", "Demo"],
    ["/training", "Training"],
    ["/file", "File"],
  ];
}

for (const theme of ["light", "dark"] as const)
  test(`axe finds nothing on any screen in ${theme}`, async ({ page }) => {
    // Axe walks over every screen: minutes on a busy machine.
    test.slow();
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    for (const [path, heading] of await screens(page)) {
      await page.goto(path);
      await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
      await page.waitForLoadState("networkidle");
      const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
      const told = violations.map((one) => `${path}: ${one.id}: ${one.nodes[0]?.html}`);
      expect(told).toEqual([]);
    }
  });

test("nothing scrolls sideways from 320 to 1360 px", async ({ page }) => {
  for (const [path, heading] of await screens(page)) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
    await page.waitForLoadState("networkidle");
    for (const width of [320, 390, 768, 1360]) {
      await page.setViewportSize({ width, height: 800 });
      // Charts learn of a new width a frame after it.
      const over = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      await expect.poll(over, `${path} at ${width}`).toBeLessThanOrEqual(0);
    }
  }
});

test("a theme repaints the canvas, and the system's is followed", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await played(page);
  const pixels = () =>
    page.locator("canvas").evaluate((canvas) => {
      if (!(canvas instanceof HTMLCanvasElement)) throw new Error("no canvas");
      return canvas.toDataURL();
    });
  const light = await pixels();
  await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect.poll(pixels).not.toBe(light);
  await page.getByLabel("Theme").selectOption("light");
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
});

test("an embedded episode has no header, and the page has a strict policy", async ({ page }) => {
  const id = await played(page);
  const answer = await page.goto(`/episodes/${id}?embed=1&theme=dark`);
  await expect(page.getByRole("navigation")).toHaveCount(0);
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  expect(answer?.headers()["content-security-policy"]).toContain("default-src 'self'");
});
