import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, played, test } from "./page";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Every screen, with something on it: two episodes, one in progress by hand, data being looked at and found, a board. */
async function screens(page: Page): Promise<[string, string][]> {
  const post = async (path: string, data: object) => {
    const answer = await page.request.post(path, { data });
    expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true);
    return answer.json();
  };
  const ended = async (policy: string) => {
    const task = { system_id: "damped_pendulum", seed: 7, policy, max_turns: 2 };
    const { episode_id } = await post("/interactive/sessions", task);
    await post(`/interactive/sessions/${episode_id}/run`, {});
    const status = async () =>
      (await (await page.request.get(`/api/episodes/${episode_id}`)).json()).status;
    await expect.poll(status, { timeout: 90_000 }).toBe("finished");
    return episode_id;
  };
  const id = await ended("nano");
  const other = await ended("nano-early");
  const { episode_id: mine } = await post("/interactive/sessions", {
    system_id: "damped_pendulum",
    seed: 7,
    policy: "you",
  });
  await post(`/interactive/sessions/${mine}/step`, { equation: "d2theta/dt2 = -4*theta" });
  const { episode_id: measured } = await post("/interactive/sessions", { csv: FALL });
  await post(`/interactive/sessions/${measured}/step`, { equation: "d2y/dt2 = -9.8" });
  const { id: board } = await post("/api/board", {
    name: "One",
    policies: ["search", "nano"],
    suites: ["builtin:free_fall"],
  });
  return [
    ["/", "Watch an agent"],
    ["/run", "Run"],
    [`/run/${id}`, "Run"],
    ["/manual", "Manual"],
    [`/manual/${mine}`, "Manual"],
    ["/data", "Your data"],
    [`/bench/${measured}`, "Bench"],
    ["/compare", "Compare"],
    [`/compare?episode=["${id}","${other}"]`, "Compare"],
    [`/compare?episode=["${id}","${other}","${mine}"]`, "Compare"],
    ["/board", "Board"],
    [`/board/${board}`, "Board"],
    ["/many", "Run many"],
    ["/episodes", "Episodes"],
    [`/episodes/${id}`, "Replay"],
    [`/episodes/${id}/transcript?turn=1`, "Transcript"],
    ["/demos/damped-pendulum", "Demo"],
    ["/training", "Training"],
    ["/file", "File"],
  ];
}

const FALL = [
  "t,y",
  ...Array.from({ length: 40 }, (_, i) => {
    const t = i / 20;
    return `${t.toFixed(2)},${(20 - 4.9 * t * t + 0.01 * Math.sin(7919 * i)).toFixed(4)}`;
  }),
].join("\n");

const WAYS = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["forced colours", { forcedColors: "active" }],
] as const;

for (const [way, media] of WAYS)
  test(`axe finds nothing on any screen in ${way}`, async ({ page }) => {
    // Axe walks over every screen: minutes on a busy machine.
    test.slow();
    await page.emulateMedia({ ...media, reducedMotion: "reduce" });
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

test("nothing that is written in a chart is cut off, on a wide screen and on a phone", async ({
  page,
}) => {
  const long = FALL.split("\n")
    .map((row, i) => (i === 0 ? row : row.replace(/^[^,]+/, `${(15_000 * (i - 1)) / 39}`)))
    .join("\n");
  const begun = await page.request.post("/interactive/sessions", { data: { csv: long } });
  const { episode_id: measured } = await begun.json();
  await page.request.post(`/interactive/sessions/${measured}/step`, {
    data: { equation: "d2y/dt2 = -1.6e-7" },
  });
  await page.request.post(`/interactive/sessions/${measured}/abandon`);
  const id = await played(page);
  const paths = [
    `/bench/${measured}`,
    `/run/${measured}`,
    `/run/${id}`,
    `/run/${id}?chart=phase`,
    `/run/${id}?chart=histogram`,
    "/training",
  ];
  for (const path of paths)
    for (const width of [1360, 390]) {
      await page.setViewportSize({ width, height: 900 });
      await page.goto(path);
      await expect(page.locator("svg[role=img] text").first()).toBeVisible();
      await page.waitForLoadState("networkidle");
      const cut = () =>
        page.locator("svg[role=img]").evaluateAll((charts) =>
          charts.flatMap((chart) => {
            const frame = chart.getBoundingClientRect();
            return [...chart.querySelectorAll("text")].flatMap((text) => {
              const box = text.getBoundingClientRect();
              const within =
                box.left >= frame.left - 1 &&
                box.right <= frame.right + 1 &&
                box.top >= frame.top - 4 &&
                box.bottom <= frame.bottom + 4;
              return within ? [] : [text.textContent];
            });
          }),
        );
      await expect.poll(cut, `${path} at ${width}`).toEqual([]);
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
