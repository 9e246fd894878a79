import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "@playwright/test";

const port = 8765;

export default defineConfig({
  testDir: "e2e",
  workers: 1,
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
    env: {
      PHYSIX_PORT: `${port}`,
      PHYSIX_DB: `sqlite:///${join(mkdtempSync(join(tmpdir(), "physix-")), "e2e.db")}`,
    },
  },
});
