import { readFileSync } from "node:fs";
import { passagesOf } from "./prose/passages.ts";
import { findingsIn } from "./prose/rules.ts";

/**
 * `bun run scripts/check/prose.ts [FOLDER]` holds the comments, test names, error messages and documents of a checkout
 * against the prose rule of CONTRIBUTING.md and prints `path:line: words — use X` for each offence. Exit code 1 if
 * there is any. `--count` prints their number in each area instead, and exits with 0.
 */
const ownCheckout = new URL("../..", import.meta.url).pathname;

const areasWithProse = [
  ".ci",
  "bench",
  "clients",
  "conformance",
  "deploy",
  "docs",
  "examples",
  "scripts",
  "src",
  "test",
];
const kinds = "{ts,tsx,js,lua,py,css,md}";
const places = [`*.${kinds}`, ...areasWithProse.map((area) => `${area}/**/*.${kinds}`)];
const notOurs = /(?:^|\/)(?:node_modules|dist|\.venv|venv|coverage)\//;

function main(args: readonly string[]): number {
  const root = `${args.find((arg) => !arg.startsWith("--")) ?? ownCheckout}/`;
  const areas = offencesByArea(root);
  const all = [...areas.values()].flat();
  if (!args.includes("--count")) {
    for (const offence of all) console.log(offence);
    return all.length > 0 ? 1 : 0;
  }
  for (const [area, offences] of areas) console.log(`${area}: ${offences.length}`);
  console.log(`all: ${all.length}`);
  return 0;
}

/** One line for each offence, by area. */
function offencesByArea(root: string): Map<string, string[]> {
  const areas = new Map<string, string[]>();
  const paths = places
    .flatMap((place) => [...new Bun.Glob(place).scanSync({ cwd: root, dot: true })])
    .filter((path) => !notOurs.test(path))
    .sort();
  for (const path of paths) {
    const offences = passagesOf(path, readFileSync(root + path, "utf8"))
      .flatMap(findingsIn)
      .map(({ line, words, use }) => `${path}:${line}: ${words} — use ${use}`);
    const area = areaOf(path);
    areas.set(area, [...(areas.get(area) ?? []), ...offences]);
  }
  return areas;
}

/** Code and its tests are one area, since files move between them. */
function areaOf(path: string): string {
  const folder = path.includes("/") ? path.slice(0, path.indexOf("/")) : "top level";
  return folder === "test" ? "src" : folder;
}

if (import.meta.main) process.exit(main(process.argv.slice(2)));
