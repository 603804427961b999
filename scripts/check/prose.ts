import { readFileSync } from "node:fs";
import { passagesOf } from "./prose/passages.ts";
import { findingsIn } from "./prose/rules.ts";

/**
 * `bun run scripts/check/prose.ts [FOLDER]` holds the comments, test names, error messages and documents of a checkout
 * against the prose rule of CONTRIBUTING.md and prints `path:line: words — use X` for each offence. Exit code 1 if an
 * area has more offences than `most` allows. `--list` prints all of them and `--count` their number in each area;
 * both exit with 0.
 */
const ownCheckout = new URL("../..", import.meta.url).pathname;

/** TEMPORARY: the most offences an area may have while the prose is being rewritten. A number may only fall. */
const most: Readonly<Record<string, number>> = {
  "top level": 0,
  bench: 0,
  docs: 0,
  examples: 0,
  scripts: 0,
  src: 52,
};

const areasWithProse = [".ci", "bench", "clients", "deploy", "docs", "examples", "scripts", "src", "test"];
const kinds = "{ts,tsx,js,lua,py,css,md}";
const places = [`*.${kinds}`, ...areasWithProse.map((area) => `${area}/**/*.${kinds}`)];
const notOurs = /(?:^|\/)(?:node_modules|\.venv|venv|coverage)\//;

function main(args: readonly string[]): number {
  const root = `${args.find((arg) => !arg.startsWith("--")) ?? ownCheckout}/`;
  const areas = offencesByArea(root);
  const all = [...areas.values()].flat();
  if (args.includes("--list")) console.log(all.join("\n"));
  if (args.includes("--count")) {
    for (const [area, offences] of areas) console.log(`${area}: ${offences.length}`);
    console.log(`all: ${all.length}`);
  }
  if (args.includes("--list") || args.includes("--count")) return 0;
  const tooMany = [...areas].filter(([area, offences]) => offences.length > (most[area] ?? 0));
  for (const [area, offences] of tooMany) {
    // Nothing says which of many are new.
    if ((most[area] ?? 0) === 0) console.log(offences.join("\n"));
    console.log(
      `${area}: ${offences.length} offences against the prose rule, at most ${most[area] ?? 0}; --list names them`,
    );
  }
  return tooMany.length > 0 ? 1 : 0;
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
