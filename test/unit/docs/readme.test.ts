import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { CONFIG_VARIABLES } from "../../../src/config/variables.ts";

const root = new URL("../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

describe("the README says what is true", () => {
  const readme = read("README.md");

  test("its table lists every implemented variable with its default and meaning", () => {
    for (const { name, default: value, description, implemented } of CONFIG_VARIABLES) {
      if (implemented) expect(readme).toContain(`| \`${name}\` | ${value} | ${description} |`);
      else expect(readme).toContain(`\`${name}\``);
    }
  });

  test("its proxy snippets are those that the proxy tests run", () => {
    expect(readme).toContain(read("deploy/nginx.conf").trim());
    expect(readme).toContain(read("deploy/Caddyfile").trim());
  });

  test("every file it links to exists", () => {
    for (const [, path = ""] of readme.matchAll(/\]\(([^)#:]+)\)/g))
      expect(() => readFileSync(new URL(path, root))).not.toThrow(/ENOENT/);
  });
});
