// Makes docs/media from the running server: `node scripts/media.mjs http://127.0.0.1:8000`.
// Still pictures in both themes, and the frames of a replay, which tools/animate.py joins into one WebP.
import { mkdirSync } from "node:fs";
import { chromium } from "@playwright/test";

const base = process.argv[2] ?? "http://127.0.0.1:8000";
const frames = process.argv[3];
const media = new URL("../../docs/media/", import.meta.url).pathname;
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});

const wanted = { system_id: "damped_pendulum", seed: 7, policy: "search", max_turns: 8 };
const post = async (page, path, data) =>
  (await page.request.post(`${base}/interactive/sessions${path}`, { data })).json();

async function recorded(page, seed) {
  const { episode_id: id } = await post(page, "", { ...wanted, seed });
  for (let ended = false; !ended; )
    ended = (await post(page, `/${id}/llm-step`, {})).outcome !== null;
  return id;
}

const setup = await browser.newPage();
const id = await recorded(setup, 7);
for (const seed of [1, 2, 3]) await recorded(setup, seed);
await setup.close();

for (const theme of ["light", "dark"])
  for (const [name, path] of [
    ["run", `/run/${id}`],
    ["episodes", "/episodes"],
    ["training", "/training"],
  ])
    for (const width of [1360, 390]) {
      const page = await browser.newPage({
        colorScheme: theme,
        viewport: { width, height: width > 640 ? 900 : 844 },
      });
      await page.goto(base + path);
      await page.waitForLoadState(name === "run" ? "load" : "networkidle");
      if (name === "run") await page.locator(".katex").first().waitFor();
      const suffix = width > 640 ? theme : `${theme}-${width}`;
      await page.screenshot({ path: `${media}${name}-${suffix}.png` });
      await page.close();
    }

if (frames) {
  mkdirSync(frames, { recursive: true });
  const page = await browser.newPage({
    colorScheme: "light",
    viewport: { width: 1000, height: 760 },
  });
  const turns = (await (await page.request.get(`${base}/api/episodes/${id}`)).json()).turns.length;
  let count = 0;
  for (let turn = 1; turn <= turns; turn++) {
    await page.goto(`${base}/episodes/${id}?turn=${turn}&embed=1`);
    await page.locator(".katex").first().waitFor();
    for (let frame = 0; frame < 8; frame++)
      await page.screenshot({ path: `${frames}/${String(count++).padStart(4, "0")}.png` });
  }
}
await browser.close();
