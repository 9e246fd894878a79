// Measures the page in Chromium; started by bench/page.py with an address and a long episode's id.
import { chromium } from "@playwright/test";
import { slowLine } from "../e2e/line.mjs";

const [, , base, long, first, second, rows] = process.argv;
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
const at = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

function told(name, values, unit) {
  const sorted = [...values].sort((a, b) => a - b);
  const figures = [0.5, 0.95].map((share) => at(sorted, share).toFixed(1));
  const worst = sorted.at(-1).toFixed(1);
  console.log(
    `${name.padEnd(46)} p50 ${figures[0]}, p95 ${figures[1]}, worst ${worst} ${unit} (${sorted.length})`,
  );
}

async function open() {
  const context = await browser.newContext({
    viewport: { width: 1360, height: 900 },
    baseURL: base,
  });
  return context.newPage();
}

/** Milliseconds of script in each frame while `act` goes on, by Chromium's own trace. */
async function scriptPerFrame(page, act) {
  const events = [];
  const session = await page.context().newCDPSession(page);
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: ["devtools.timeline"] },
  });
  await act();
  const complete = new Promise((done) => session.once("Tracing.tracingComplete", done));
  await session.send("Tracing.end");
  await complete;
  return events
    .filter(({ name }) => name === "FireAnimationFrame")
    .map(({ dur = 0 }) => dur / 1000);
}

{
  const page = await open();
  await page.goto(`/compare?episode=${JSON.stringify([first, second])}&layout=split`);
  await page.locator("canvas").nth(1).scrollIntoViewIfNeeded();
  await page.waitForTimeout(1000);
  const frames = await scriptPerFrame(page, () => page.waitForTimeout(10_000));
  told("script a frame, two scenes playing", frames, "ms");
  console.log(`${"frames a second, no GPU".padEnd(46)} ${(frames.length / 10).toFixed(0)}`);
}

{
  const page = await open();
  await page.goto("/episodes");
  const list = page.getByLabel("Episodes: arrow keys move");
  await list.waitFor();
  // Down to the end: every page of 200 rows is fetched on the way.
  const gaps = await list.evaluate(async (box) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const found = [];
    let before = await frame();
    for (let still = 0; still < 60; ) {
      const top = box.scrollTop;
      box.scrollTop += 400;
      const now = await frame();
      found.push(now - before);
      before = now;
      still = box.scrollTop === top ? still + 1 : 0;
    }
    return found;
  });
  const rows = await list.locator("table").getAttribute("aria-rowcount");
  const drawn = await list.locator("tbody tr").count();
  told(`between frames, scrolling ${rows - 1} rows (${drawn} drawn)`, gaps, "ms");
}

{
  const times = [];
  for (let i = 0; i < 10; i++) {
    const page = await open();
    await page.goto("/episodes?q=sixty-four");
    const link = page.getByRole("table").getByRole("link").first();
    await link.waitFor();
    await page.waitForLoadState("networkidle");
    times.push(
      await link.evaluate(async (element) => {
        const began = performance.now();
        element.click();
        const ready = () =>
          document.querySelectorAll('button[aria-label^="Turn "]').length === 64 &&
          document.querySelector(".katex") !== null &&
          document.querySelector("svg[role=img]") !== null;
        while (!ready()) await new Promise((done) => requestAnimationFrame(done));
        return performance.now() - began;
      }),
    );
    if (!page.url().includes(long)) throw new Error(`opened ${page.url()}, not ${long}`);
    await page.context().close();
  }
  told("a 64-turn episode, click to all turns drawn", times, "ms");
}
{
  const times = [];
  let elements = 0;
  for (let i = 0; i < 5; i++) {
    const page = await open();
    await page.goto(`/episodes/${first}`);
    await page.locator("svg[role=img]").first().waitFor();
    const began = performance.now();
    await page.goto(`/episodes/${rows}`);
    const chart = page.locator("svg[role=img]").first();
    await chart.waitFor();
    times.push(performance.now() - began);
    elements = await chart.evaluate((svg) => svg.querySelectorAll("*").length);
    await page.context().close();
  }
  told(`a chart of 10,000 rows (${elements} elements), opened`, times, "ms");
}

{
  const [text, usable] = [[], []];
  for (let i = 0; i < 3; i++) {
    const page = await open();
    await slowLine(page);
    const began = performance.now();
    await page.goto("/", { waitUntil: "commit" });
    await page.getByRole("heading", { level: 1 }).waitFor();
    text.push((performance.now() - began) / 1000);
    await page
      .getByRole("link", { name: /^Watch/ })
      .first()
      .waitFor();
    usable.push((performance.now() - began) / 1000);
    await page.context().close();
  }
  told("at 50 kB/s, text to read", text, "s");
  told("at 50 kB/s, usable", usable, "s");
}

const post = async (path, body) => {
  const answer = await fetch(`${base}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
};
const LASTING = { system_id: "damped_pendulum", policy: "nano-untrained", max_turns: 64 };

{
  const page = await open();
  // Counted from the first byte on: whatever moves without having been asked to.
  await page.addInitScript(() => {
    window.shifted = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        if (!entry.hadRecentInput) window.shifted.push(entry.value);
    }).observe({ type: "layout-shift", buffered: true });
  });
  const { episode_id: id } = await post("/interactive/sessions", { ...LASTING, max_turns: 16 });
  await page.goto(`/run/${id}`);
  await page.locator(".story").waitFor();
  await post(`/interactive/sessions/${id}/run`, {});
  await page.getByText("Complete", { exact: false }).first().waitFor({ timeout: 120_000 });
  await page.waitForTimeout(1000);
  const shifted = await page.evaluate(() => window.shifted);
  const sum = shifted.reduce((a, b) => a + b, 0);
  console.log(
    `${"layout shift over a live run of 16 turns".padEnd(46)} ${sum.toFixed(4)}, aim 0.05`,
  );
  await page.context().close();
}

{
  const context = await browser.newContext({ baseURL: base });
  const { episode_id: id } = await post("/interactive/sessions", LASTING);
  await post(`/interactive/sessions/${id}/run`, {});
  const open = new Set();
  let most = 0;
  context.on("request", (request) => {
    if (request.headers().accept !== "text/event-stream") return;
    open.add(request);
    most = Math.max(most, open.size);
  });
  for (const end of ["requestfinished", "requestfailed"])
    context.on(end, (request) => open.delete(request));
  const tabs = [];
  for (let i = 0; i < 6; i++) {
    const page = await context.newPage();
    await page.goto(`/run/${id}`);
    tabs.push(page);
  }
  const times = [];
  for (const page of tabs)
    times.push(
      await page.evaluate(async () => {
        const began = performance.now();
        await (await fetch("/api/systems")).json();
        return performance.now() - began;
      }),
    );
  told(`a request from each of six tabs on a live run (${most} stream)`, times, "ms");
  await context.close();
}
await browser.close();
