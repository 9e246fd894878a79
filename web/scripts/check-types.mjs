// Fails when the checked-in client types differ from the checked-in or the current OpenAPI document.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const run = (command, ...args) =>
  execFileSync(command, args, {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    stdio: ["ignore", "pipe", "ignore"],
  });
const read = (path) => readFileSync(path, "utf8");

const current = run("../.venv/bin/python", "-m", "physix.api.openapi");
const types = run(
  process.execPath,
  "node_modules/openapi-typescript/bin/cli.js",
  "src/api/openapi.json",
  "--default-non-nullable",
  "false",
);
if (
  current !== read("src/api/openapi.json") ||
  types.trim() !== read("src/api/schema.d.ts").trim()
) {
  console.error("The client types are out of date; run `make types`.");
  process.exit(1);
}
