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

const post = async (path, body) => {
  const answer = await fetch(`${base}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  return answer.json();
};
const ended = async (path) => {
  for (;;) {
    const { status, state } = await (await fetch(`${base}${path}`)).json();
    if (status === "finished" || state === "finished") return;
    await new Promise((done) => setTimeout(done, 300));
  }
};
const TASK = { system_id: "damped_pendulum", seed: 7 };

/** Plays an episode to its end; its id. */
async function played(body, policy = "search") {
  const { episode_id: id } = await post("/interactive/sessions", { ...body, policy });
  await post(`/interactive/sessions/${id}/run`, {});
  await ended(`/api/episodes/${id}`);
  return id;
}

/** A capacitor that is charged: eighty samples with the noise of a meter of three digits. */
const CAPACITOR = [
  "t (s),U (V)",
  ...Array.from({ length: 80 }, (_, i) => {
    const t = i / 2;
    const noise = 0.006 * Math.sin(7919 * i) * Math.cos(104729 * i);
    return `${t.toFixed(1)},${(5 * (1 - Math.exp(-t / 6.8)) + noise).toFixed(3)}`;
  }),
].join("\n");

const id = await played(TASK);
const measured = await played({ csv: CAPACITOR, title: "A capacitor", hint: "It is charged." });
const policies = ["search", "nano", "nano-early"];
const members = [];
for (const policy of policies) members.push(await played({ ...TASK, max_turns: 4 }, policy));
const { id: board } = await post("/api/board", {
  name: "Two a system",
  policies,
  suites: ["builtin"],
  seeds: 2,
  max_turns: 4,
});
await ended(`/api/board/${board}`);

const stillAt = async (page, time) => {
  await page.getByRole("button", { name: "Pause the motion" }).click();
  await page.getByLabel("Time", { exact: true }).fill(time);
};

/** Each screen as it is shown in the docs: what leads to it, and what must be there. */
const SCREENS = {
  start: async (page) => {
    await page.goto("/");
    await page.getByText("match 1.00").waitFor();
    await page.getByRole("button", { name: "Play again" }).waitFor({ timeout: 60_000 });
  },
  run: async (page) => {
    await page.goto(`/run/${id}`);
    await page.locator(".katex").first().waitFor();
    await stillAt(page, "3.1");
  },
  compare: async (page) => {
    await page.goto(`/compare?episode=${JSON.stringify(members)}&layout=overlay&turn=1`);
    await page.getByRole("region", { name: "Overlaid" }).waitFor();
    await stillAt(page, "3.1");
    await page.getByRole("group", { name: "Layout" }).evaluate((box) => box.scrollIntoView());
  },
  manual: async (page) => {
    await page.goto("/manual?system=damped_pendulum&seed=7");
    await page.getByRole("button", { name: "Start", exact: true }).click();
    const field = page.getByLabel("d2theta/dt2 =");
    await field.fill("-4.27*theta");
    await page.getByText("Numbers in the text").waitFor();
    await field.press("Control+Enter");
    await page.getByRole("button", { name: "All of it" }).waitFor();
    await field.fill("-w*sin(theta) - b*dtheta");
    await page.getByLabel("w, slider").press("PageUp");
    await page.getByLabel("b, slider").press("PageDown");
    await stillAt(page, "3.1");
  },
  bench: async (page) => {
    await page.goto(`/bench/${measured}`);
    await page.getByRole("region", { name: "What is left over" }).waitFor();
  },
  board: async (page) => {
    await page.goto(`/board/${board}?by=system&of=nano&in=builtin:damped_pendulum`);
    await page.getByRole("region", { name: /^Episodes of nano/ }).waitFor();
  },
  data: async (page) => {
    await page.goto("/data");
    const buffer = Buffer.from(CAPACITOR);
    await page
      .getByLabel(/A file/)
      .setInputFiles({ name: "capacitor.csv", mimeType: "text/csv", buffer });
    await page.getByRole("region", { name: "Motions" }).waitFor();
  },
};

for (const theme of ["light", "dark"])
  for (const [name, show] of Object.entries(SCREENS)) {
    if (theme === "dark" && name === "data") continue;
    const page = await open(theme, 1360, 900);
    await show(page);
    await page.waitForLoadState("networkidle");
    await page.screenshot({ path: join(out, `${name}-${theme}.png`) });
    await page.context().close();
  }

// An episode as it plays: each turn once, in equal steps of its time.
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
