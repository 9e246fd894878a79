// Takes the pictures of docs/media from a running server: npm run media -- http://127.0.0.1:8000
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "@playwright/test";

const base = process.argv[2] ?? "http://127.0.0.1:8000";
const out = "../docs/media";
const FRAMES = 30;
mkdirSync(out, { recursive: true });

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});

async function open(theme, width, height) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    baseURL: base,
  });
  return context.newPage();
}

async function compare(page) {
  await page.goto("/compare");
  await page.getByRole("combobox", { name: /^System/ }).selectOption("damped_pendulum");
  await page.getByLabel("Seed").fill("7");
  await page.getByRole("button", { name: "Compare" }).click();
}

/** A damped pendulum, found in two turns; the episode's id. */
async function discovered() {
  const page = await open("light", 1360, 900);
  await page.goto("/run?system=damped_pendulum&seed=7");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByText("Complete").waitFor();
  const id = new URL(page.url()).pathname.replace("/run/", "");
  await page.context().close();
  return id;
}

for (const theme of ["light", "dark"]) {
  const page = await open(theme, 1360, 900);
  await compare(page);
  await page.getByText("tells them apart").waitFor();
  await page.getByRole("button", { name: "Pause the motion" }).click();
  await page.getByLabel("Time", { exact: true }).fill("3.1");
  await page.screenshot({ path: join(out, `compare-${theme}.png`) });
  await page.goto("/run?system=damped_pendulum&seed=7");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByText("Complete").waitFor();
  await page.getByRole("button", { name: "Pause the motion" }).click();
  await page.getByLabel("Time", { exact: true }).fill("3.1");
  await page.screenshot({ path: join(out, `run-${theme}.png`) });
  await page.goto("/");
  await page.getByText("match 1.00").waitFor();
  await page.getByRole("button", { name: "Play again" }).waitFor({ timeout: 60_000 });
  await page.screenshot({ path: join(out, `start-${theme}.png`) });
  await page.context().close();
}

// An episode as it plays: each turn once, in equal steps of its time.
const id = await discovered();
const frames = mkdtempSync(join(tmpdir(), "physix-media-"));
const page = await open("dark", 900, 760);
let count = 0;
for (const turn of [1, 2]) {
  await page.goto(`/episodes/${id}?embed=1&turn=${turn}&t=0`);
  await page.locator(".katex").first().waitFor();
  const time = page.getByLabel("Time", { exact: true });
  const duration = Number(await time.getAttribute("max"));
  for (let i = 0; i < FRAMES; i++) {
    await time.fill(((i / FRAMES) * duration).toFixed(3));
    await page.screenshot({ path: join(frames, `${String(count++).padStart(3, "0")}.png`) });
  }
}
await browser.close();
const assemble = `
import sys
from pathlib import Path
from PIL import Image
frames = [Image.open(path).convert("RGB") for path in sorted(Path(sys.argv[1]).glob("*.png"))]
frames[0].save(sys.argv[2], save_all=True, append_images=frames[1:], duration=150, loop=0, quality=50, method=4)
`;
execFileSync("../.venv/bin/python", ["-c", assemble, frames, join(out, "discovery.webp")]);
