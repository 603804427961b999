import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { CONFIG_VARIABLES } from "../../../src/gateway/config/variables.ts";

const root = new URL("../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

describe("the pages for readers say what is true", () => {
  const operating = read("docs/OPERATING.md");

  test("the table of settings lists every implemented variable with its default and meaning", () => {
    for (const { name, default: value, description, implemented } of CONFIG_VARIABLES) {
      if (implemented) expect(operating).toContain(`| \`${name}\` | ${value} | ${description} |`);
      else expect(operating).toContain(`\`${name}\``);
    }
  });

  test("the proxy snippets are those that the proxy tests run", () => {
    expect(operating).toContain(read("deploy/nginx.conf").trim());
    expect(operating).toContain(read("deploy/Caddyfile").trim());
  });

  test("the README can be read at one sitting", () => {
    expect(read("README.md").split("\n").length).toBeLessThanOrEqual(150);
  });

  test.each(["README.md", "docs/OPERATING.md", "docs/WATCHING.md"])(
    "every file and heading that %s links to exists",
    (page) => {
      const base = new URL(page, root);
      for (const [, path = "", heading] of read(page).matchAll(/\]\(([^)#:]*)(?:#([^)]+))?\)/g)) {
        const target = path === "" ? base : new URL(path, base);
        expect(() => readFileSync(target)).not.toThrow(/ENOENT/);
        if (heading !== undefined) expect(headingsOf(readFileSync(target, "utf8"))).toContain(heading);
      }
    },
  );
});

/** As links name them. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .trim()
      .replaceAll(/\s/g, "-"),
  );
}
