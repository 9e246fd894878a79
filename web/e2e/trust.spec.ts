import type { Page } from "@playwright/test";
import { expect, test } from "./page";

/** An episode played by hand over HTTP: the laws, then its end. Returns its id. */
async function byHand(
  page: Page,
  laws: { equation: string; params?: Record<string, number> }[],
  task: object = { system_id: "damped_pendulum", seed: 7 },
): Promise<string> {
  const started = await page.request.post("/interactive/sessions", { data: task });
  const { episode_id: id } = await started.json();
  for (const law of laws)
    await page.request.post(`/interactive/sessions/${id}/step`, { data: { params: {}, ...law } });
  await page.request.post(`/interactive/sessions/${id}/abandon`);
  return id;
}

test("a prediction that leaves the frame ends there with an arrow and its value, and can be zoomed out to", async ({
  page,
}) => {
  const id = await byHand(page, [{ equation: "d2theta/dt2 = 0.4*theta" }]);
  await page.goto(`/episodes/${id}`);
  const chart = page.locator("svg[role=img]").first();
  const arrows = chart.locator("[data-escape]");
  await expect(arrows.first()).toBeVisible();
  // The value that is told is one that was predicted, and it is outside of what is drawn.
  const episode = await (await page.request.get(`/api/episodes/${id}`)).json();
  const predicted: number[] = episode.turns[0].simulation.predictions[0].states.map(
    (state: number[]) => state[0],
  );
  const farthest = predicted.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  const told = (await arrows.first().textContent())?.replace("\u2212", "-");
  expect(Number(told) / farthest).toBeCloseTo(1, 2);
  // What is drawn is clipped, not clamped: the path itself goes on beyond the frame.
  const [path, frame] = await chart.evaluate((svg) => {
    const clip = svg.querySelector("clipPath rect");
    const drawn = svg.querySelector("g[clip-path] path")?.getAttribute("d") ?? "";
    const ys = [...drawn.matchAll(/[ML][\d.-]+ ([\d.-]+)/g)].map((found) => Number(found[1]));
    const top = Number(clip?.getAttribute("y"));
    return [ys, [top, top + Number(clip?.getAttribute("height"))]] as const;
  });
  const beyond = path.filter((y) => y < (frame[0] ?? 0) - 1 || y > (frame[1] ?? 0) + 1);
  expect(beyond.length).toBeGreaterThan(0);
  await expect(page.getByText(/\d+ of 100 predicted rows lie outside/)).toBeVisible();
  await page.getByRole("button", { name: "Zoom out to the prediction" }).click();
  await expect(page).toHaveURL(/zoom=out/);
  await expect(arrows).toHaveCount(0);
  await page.getByRole("button", { name: "Back to the data" }).click();
  await expect(arrows.first()).toBeVisible();
});

test("a turn that did not parse draws no prediction, no axis of its own and no legend", async ({
  page,
}) => {
  const id = await byHand(page, [{ equation: "d2theta/dt2 = -(" }]);
  await page.goto(`/episodes/${id}`);
  await expect(page.getByText("Turn 1 did not parse.")).toBeVisible();
  await expect(page.locator("g[clip-path] path")).toHaveCount(0);
  await expect(page.locator("svg[role=img]").first()).not.toContainText("±");
  await expect(page.getByText("predicted", { exact: true })).toHaveCount(0);
  await expect(page.getByText(/Gave up/)).toBeVisible();
});

test("the true law stands beside the found one, constant by constant, in percent", async ({
  page,
}) => {
  const id = await byHand(page, [
    { equation: "d2theta/dt2 = -w*sin(theta)", params: { w: 4.8 } },
    { equation: "d2theta/dt2 = -w*theta", params: { w: 3 } },
  ]);
  await page.goto(`/episodes/${id}?turn=1`);
  const truth = page.getByRole("region", { name: "The true law" });
  await expect(truth.locator(".katex").first()).toBeVisible();
  const told = await (await page.request.get(`/api/episodes/${id}/turns/1/truth`)).json();
  const [first] = told.constants;
  expect(first.percent).toBeCloseTo((100 * (-4.8 - first.true)) / first.true, 9);
  await expect(truth.getByRole("row").nth(1)).toContainText("\u22124.8");
  await expect(truth.getByRole("row").nth(1)).toContainText("%");
  await expect(truth.getByRole("row").nth(2)).toContainText("missing");
});

test("generalisation says what it is on, for a sampled task and for a file", async ({ page }) => {
  const sampled = await byHand(page, [{ equation: "d2theta/dt2 = -4*theta" }]);
  await page.goto(`/episodes/${sampled}`);
  await expect(page.getByText(/on motions from other starts, never shown/)).toBeVisible();
  const rows = Array.from({ length: 60 }, (_, i) => `${i / 10},${(0.9 ** i).toFixed(6)}`);
  const csv = await byHand(page, [{ equation: "dx/dt = -9*x" }], {
    csv: `t,x\n${rows.join("\n")}\n`,
    hint: "It decays.",
  });
  await page.goto(`/episodes/${csv}`);
  await expect(page.getByText(/on the last rows, held back/)).toBeVisible();
  await expect(page.getByRole("region", { name: "The true law" })).toHaveCount(0);
});

test("ten thousand rows are drawn with a few elements, and none of their extremes is lost", async ({
  page,
}) => {
  const rows = Array.from({ length: 10_000 }, (_, i) => {
    const t = i / 100;
    const spike = i === 6_543 ? 3 : 0;
    return `${t.toFixed(2)},${(Math.sin(t) + spike).toFixed(5)}`;
  });
  const id = await byHand(page, [{ equation: "d2x/dt2 = -x" }], {
    csv: `t,x\n${rows.join("\n")}\n`,
    hint: "It swings.",
    hold_back: 0,
  });
  await page.goto(`/episodes/${id}`);
  const chart = page.locator("svg[role=img]").first();
  await expect(chart).toBeVisible();
  expect(await chart.evaluate((svg) => svg.querySelectorAll("*").length)).toBeLessThan(4_000);
  const drawn = chart.locator("path[data-rows]").first();
  await expect(drawn).toHaveAttribute("data-rows", "10000");
  const ys = await drawn.evaluate((path) =>
    [...(path.getAttribute("d") ?? "").matchAll(/[ML][\d.-]+ ([\d.-]+)/g)].map((found) =>
      Number(found[1]),
    ),
  );
  expect(ys.length).toBeLessThan(4_000);
  // The one row that stands out is there: the data run from -1 to 3.26, all others to 1.
  const sorted = [...ys].sort((x, y) => x - y);
  const [spike = 0, next = 0, lowest = 0] = [sorted[0], sorted[1], sorted.at(-1)];
  expect((next - spike) / (lowest - spike)).toBeGreaterThan(0.4);
});

test("standings are sorted by what was found, not by reward", async ({ page }) => {
  const good = await byHand(page, [
    { equation: "d2theta/dt2 = -w*sin(theta) - b*dtheta", params: { w: 4.8206, b: 0.3199 } },
  ]);
  const slow = await byHand(
    page,
    Array.from({ length: 5 }, () => ({ equation: "d2theta/dt2 = -4.3*theta" })),
  );
  await page.goto(`/compare?episode=["${slow}","${good}"]`);
  const table = page.getByRole("table", { name: "Standings" });
  await expect(page.getByRole("status", { name: "Result" })).toContainText("You 2 alone solved it");
  const rows = table.getByRole("row");
  await expect(rows.nth(1)).toContainText("Solved");
  await expect(rows.nth(1)).toContainText("★ Best");
  await expect(rows.nth(1)).toContainText(/Yes|Exactly/);
  await expect(rows.nth(2)).toContainText("Gave up");
  const reward = async (row: number) =>
    Number(await rows.nth(row).getByRole("cell").nth(5).innerText());
  expect(await reward(2)).toBeGreaterThan(await reward(1));
});
