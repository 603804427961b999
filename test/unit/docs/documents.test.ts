import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { CONFIG_VARIABLES } from "../../../src/gateway/config/variables.ts";
import { documents, readDocument, sectionOf, tablesIn } from "../../support/documents.ts";

const root = new URL("../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

describe("the documents", () => {
  const operating = read("docs/OPERATING.md");

  test("the table of settings lists every implemented variable with its default and meaning", () => {
    for (const { name, default: value, description, implemented } of CONFIG_VARIABLES) {
      if (implemented) expect(operating).toContain(`| \`${name}\` | ${value} | ${description} |`);
      else expect(operating).toContain(`\`${name}\``);
    }
  });

  test("PUBLISHING.md names each answer with its status and code", () => {
    const source = read("src/adapters/http/problem.ts");
    const rows = tablesIn(sectionOf(readDocument("docs/PUBLISHING.md"), "Answers"))[0] ?? [];
    expect(rows.length).toBeGreaterThan(10);
    for (const [status, code = ""] of rows)
      if (code !== "") expect(source).toContain(`${code.replaceAll("`", "")}: [${status},`);
  });

  test("the README can be read at one sitting", () => {
    expect(read("README.md").split("\n").length).toBeLessThanOrEqual(121);
  });

  test.each(documents())("every file and heading that %s links to exists", (page) => {
    const base = new URL(page, root);
    for (const [, path = "", heading] of read(page).matchAll(/\]\(([^)#:]*)(?:#([^)]+))?\)/g)) {
      const target = path === "" ? base : new URL(path, base);
      expect(() => readFileSync(target)).not.toThrow(/ENOENT/);
      if (heading !== undefined) expect(headingsOf(readFileSync(target, "utf8"))).toContain(heading);
    }
  });
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
