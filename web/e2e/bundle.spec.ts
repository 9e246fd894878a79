import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { expect, test } from "@playwright/test";

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

test("a bundle replays an episode from a folder below any static host", async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), "physix-bundle-"));
  const db = `sqlite:///${join(folder, "log.db")}`;
  const physix = (...args: string[]) =>
    execFileSync("../.venv/bin/python", ["-m", "physix.cli", ...args], { encoding: "utf8" });
  const run = ["run", "--system", "damped_spring", "--seed", "7", "--db", db, "--json"];
  const { episode_id: id } = JSON.parse(physix(...run));
  physix("bundle", id, "--out", join(folder, "site"), "--db", db);

  const host = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://host").pathname.replace(/\/$/, "/index.html");
    const file = join(folder, path);
    if (!existsSync(file)) return response.writeHead(404).end();
    response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
    return createReadStream(file).pipe(response);
  });
  await new Promise<void>((ready) => host.listen(0, "127.0.0.1", ready));
  const port = (host.address() as AddressInfo).port;
  const wrong: string[] = [];
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("response", (answer) => answer.ok() || wrong.push(`${answer.status()} ${answer.url()}`));
  try {
    await page.goto(`http://127.0.0.1:${port}/site/`);
    await expect(page.getByRole("link", { name: "Run", exact: true })).toHaveCount(0);
    await page.locator(`a[href*="${id}"]`).first().click();
    await expect(page.getByTestId("reward")).toBeVisible();
    await expect(page.locator(".katex").first()).toBeVisible();
    await expect(page).toHaveURL(new RegExp(`#/episodes/${id}`));
    expect(wrong).toEqual([]);
  } finally {
    host.close();
  }
});
