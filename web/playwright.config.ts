import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "@playwright/test";

// Workers load this file again: the port is chosen once and handed on.
process.env.PHYSIX_E2E_PORT ??= execFileSync("../.venv/bin/python", [
  "-c",
  "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], end='')",
]).toString();
const port = process.env.PHYSIX_E2E_PORT;
// What the server of the tests writes, apart from anybody's log, boards and fetched models: with a model here
// the page would begin with other policies than without.
const folder = mkdtempSync(join(tmpdir(), "physix-"));

export default defineConfig({
  testDir: "e2e",
  workers: 1,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    launchOptions: {
      executablePath: "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  webServer: {
    command: "../.venv/bin/python -m physix.api.app",
    url: `http://127.0.0.1:${port}/health`,
    timeout: 120_000,
    env: {
      PHYSIX_PORT: `${port}`,
      PHYSIX_DB: `sqlite:///${join(folder, "e2e.db")}`,
      PHYSIX_BOARDS: join(folder, "boards"),
      PHYSIX_MODELS: join(folder, "models"),
    },
  },
});
