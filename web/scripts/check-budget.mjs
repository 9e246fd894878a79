// Fails the build when the first load, the start page with all it needs, outgrows its budget (gzip).
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const out = new URL("../../physix/api/static/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", out), "utf8"));
const scripts = new Set();
const styles = new Set();

function visit(key) {
  const chunk = manifest[key];
  if (scripts.has(chunk.file)) return;
  scripts.add(chunk.file);
  for (const css of chunk.css ?? []) styles.add(css);
  for (const next of chunk.imports ?? []) visit(next);
}
visit("index.html");
// The start page comes as a part of its own, and is what a first visit sees.
visit("src/features/start/Start.tsx");

const size = (files) =>
  [...files].reduce((sum, file) => sum + gzipSync(readFileSync(new URL(file, out))).length, 0);
let over = false;
for (const [name, files, limit] of [
  ["script", scripts, 145_000],
  ["CSS", styles, 8_000],
]) {
  const bytes = size(files);
  over ||= bytes > limit;
  console.log(
    `first load ${name}: ${(bytes / 1000).toFixed(1)} kB gzip, at most ${limit / 1000} kB`,
  );
}
process.exit(over ? 1 : 0);
