import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { faultOf, MUTANTS, mutated } from "./mutants.ts";

const root = new URL("../../", import.meta.url).pathname;

describe("the list of mutants", () => {
  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))("%s: can be planted", (_, mutant) => {
    expect(faultOf(mutant, root)).toBeUndefined();
    const planted = mutated(mutant, readFileSync(root + mutant.file, "utf8"));
    // One that does not even parse would be noticed by everything, and say nothing.
    if (mutant.file.endsWith(".ts")) new Bun.Transpiler({ loader: "ts" }).transformSync(planted);
    expect(mutant.killers.filter((file) => !existsSync(root + file))).toEqual([]);
  });

  test("each breaks something else, under a name of its own", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(new Set(MUTANTS.map(({ find, replace }) => `${find}\n${replace}`)).size).toBe(MUTANTS.length);
  });

  test("nothing in the product knows of mutants, or of tests", async () => {
    const files = [...new Bun.Glob("src/**/*.{ts,tsx,lua}").scanSync(root)];
    expect(files.length).toBeGreaterThan(100);
    const knowing = files.filter((file) =>
      /TELLTALE_MUTANT|mutant|\/test\//i.test(readFileSync(root + file, "utf8")),
    );
    expect(knowing).toEqual([]);
  });
});
