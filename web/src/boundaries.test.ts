import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const house = mkdtempSync(join(tmpdir(), "rooms-"));
cpSync("biome.json", join(house, "biome.json"));
afterAll(() => rmSync(house, { recursive: true }));

/** Whether the linter refuses that a file at `place` imports `from`. */
function refused(place: string, from: string): boolean {
  mkdirSync(dirname(join(house, place)), { recursive: true });
  writeFileSync(join(house, place), `export { x } from "${from}";\n`);
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [resolve("node_modules/@biomejs/biome/bin/biome"), "lint", place],
    { cwd: house, encoding: "utf8" },
  );
  const named = (stdout + stderr).includes("noRestrictedImports");
  expect(status).toBe(named ? 1 : 0);
  return named;
}

describe("the rooms of the page", () => {
  it.each([
    ["src/features/run/a.ts", "../compare/Comparison"],
    ["src/features/run/a.ts", "../../app/router"],
    ["src/panel/a.ts", "../features/run/StartForm"],
    ["src/shared/a.ts", "../panel/EpisodePanel"],
    ["src/viz/a.ts", "../shared/parts"],
    ["src/viz/a.ts", "../features/run/StartForm"],
    ["src/episode/a.ts", "../viz/format"],
  ])("%s may not import %s", (place, from) => {
    expect(refused(place, from)).toBe(true);
  });

  it.each([
    ["src/features/run/a.ts", "../../panel/EpisodePanel"],
    ["src/features/run/a.ts", "./b"],
    ["src/panel/a.ts", "../viz/format"],
    ["src/viz/a.ts", "../episode/types"],
    ["src/app/a.ts", "../features/run/StartForm"],
  ])("%s may import %s", (place, from) => {
    expect(refused(place, from)).toBe(false);
  });
});
