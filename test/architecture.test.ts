import { describe, expect, test } from "bun:test";
import { architectureRules, type SourceTree } from "./support/architecture-rules.ts";

const root = new URL("..", import.meta.url).pathname;

async function readSources(): Promise<SourceTree> {
  const paths = [...new Bun.Glob("src/**/*").scanSync({ cwd: root, onlyFiles: true })].sort();
  const entries = paths.map(async (path) => [path, await Bun.file(`${root}${path}`).text()] as const);
  return new Map(await Promise.all(entries));
}

const sources = await readSources();

describe("the house", () => {
  for (const rule of architectureRules) {
    test(rule.sentence, () => expect(rule.offences(sources)).toEqual([]));
  }
});

describe("a rule that cannot fail holds nothing: an offence is seen where", () => {
  for (const rule of architectureRules) {
    test(rule.sentence, () => {
      expect(rule.offences(new Map(Object.entries(rule.broken)))).not.toEqual([]);
    });
  }
});

test("every file of the house was looked at", () => {
  expect(sources.has("src/domain/channel.ts")).toBe(true);
  expect(sources.size).toBeGreaterThan(10);
});
