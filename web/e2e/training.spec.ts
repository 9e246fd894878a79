import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "./page";
import { Server } from "./server";

const server = new Server();
test.use({ baseURL: server.url });

const STEPS = [1, 2, 3, 4, 5, 6, 7, 8];

/** A run's two files, as a trainer writes them: every fourth step it was measured on held-out systems. */
function recorded(id: string, seed: number, held: [number, number]) {
  const folder = join(server.folder, "runs", id);
  mkdirSync(folder, { recursive: true });
  const run = { id, kind: "grpo", profile: "nano", model: "nano", seed, status: "finished" };
  const times = { started_at: "2026-11-20T10:00:00Z", finished_at: "2026-11-20T10:05:00Z" };
  writeFileSync(join(folder, "run.json"), JSON.stringify({ ...run, ...times, config: { lr: 1 } }));
  const lines = STEPS.map((step) =>
    JSON.stringify({
      step,
      reward: 0.1 * step + 0.01 * seed,
      ...(step % 4 === 0 && { "held-out/match": held[step / 4 - 1] }),
    }),
  );
  writeFileSync(join(folder, "metrics.jsonl"), `${lines.join("\n")}\n`);
}

test.beforeAll(async () => {
  recorded("toy-s1", 1, [0.25, 0.5]);
  recorded("toy-s2", 2, [0.35, 0.7]);
  await server.start();
});
test.afterAll(() => server.kill());

test("runs are told apart, measured on held-out systems apart, grouped over seeds and handed out", async ({
  page,
}) => {
  await page.goto("/training?runs=toy-s1,toy-s2");
  const trained = page.getByRole("region", { name: "Trained systems", exact: true });
  const held = page.getByRole("region", { name: "Held-out systems" });
  await expect(trained.getByRole("img", { name: /^reward: toy-s1/ })).toBeVisible();
  const curve = held.getByRole("img", { name: /^match: / });
  await expect(curve).toHaveAccessibleName(/toy-s1 from 0\.25 to 0\.5; toy-s2 from 0\.35 to 0\.7/);
  // Told apart by dash as well as by colour, and a mark at each of the two steps that were measured.
  const strokes = await curve.locator("g > path[stroke-width='2']").evaluateAll((paths) =>
    paths.map((path) => {
      const { stroke, strokeDasharray } = getComputedStyle(path);
      return `${stroke} ${strokeDasharray}`;
    }),
  );
  expect(new Set(strokes).size).toBe(2);
  await expect(curve.locator("circle")).toHaveCount(4);
  // A step between two measurements says at which the value was measured.
  await page.getByLabel("Step", { exact: true }).fill("7");
  await expect(curve).toContainText("s1 0.5 at 8");
  await expect(curve).toContainText("s2 0.7 at 8");
  await expect(page).toHaveURL(/step=7/);
  await expect(page.getByText(/not shipped|no episodes/i).first()).toBeVisible();
  const [csv] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save values as CSV" }).click(),
  ]);
  const table = readFileSync(await csv.path(), "utf8");
  expect(table).toContain("held-out/match");
  expect(table).toContain("0.35");
  const [png] = await Promise.all([
    page.waitForEvent("download"),
    held.getByRole("button", { name: "Save as PNG" }).click(),
  ]);
  const bytes = readFileSync(await png.path());
  expect(bytes.subarray(1, 4).toString()).toBe("PNG");
  // Of two that differ in their seed alone the mean, between the least and the most.
  await page.getByLabel(/^Mean over seeds/).check();
  await expect(page).toHaveURL(/group=1/);
  await expect(curve).toHaveAccessibleName(/from 0\.3 to 0\.6/);
  await expect(curve.locator("path[stroke='none']")).toHaveCount(1);
});
