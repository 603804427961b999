import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { METRICS, type Metric } from "../../../src/application/ports/metric-catalogue.ts";
import { CONFIG_VARIABLES } from "../../../src/gateway/config/variables.ts";
import { documents, readDocument, sectionOf, tablesIn } from "../../support/documents.ts";

const root = new URL("../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

const files = ["{src,test,docs,scripts,bench,deploy,examples,clients}/**/*", "*"].flatMap((pattern) => [
  ...new Bun.Glob(pattern).scanSync({ cwd: root.pathname, dot: true }),
]);
const source = files
  .filter((file) => /^(?:src|test)\/.*\.tsx?$|^clients\/.*\.py$|^deploy\/.*\.yaml$/.test(file))
  .map((file) => read(file))
  .join("\n");
const FILE = /^[\w./-]+\.(?:ts|tsx|lua|py|md|yaml|conf|acl)$|^deploy\/.*\.json$/;
const FOLDER = /^(?:src|test|docs|bench|scripts|deploy|examples|clients)\/[\w./-]*$/;
const CLASS = /^[A-Z][a-z]+(?:[A-Z][a-z]+)+$/;
/** The documents that describe the repository as it is now. */
const present = documents().filter((page) => page !== "CHANGELOG.md");

describe("the documents", () => {
  const operating = read("docs/OPERATING.md");

  test("the table of settings lists every implemented variable with its default and meaning", () => {
    for (const { name, default: value, description, implemented } of CONFIG_VARIABLES) {
      if (implemented) expect(operating).toContain(`| \`${name}\` | ${value} | ${description} |`);
      else expect(operating).toContain(`\`${name}\``);
    }
  });

  test("the table of metrics is the catalogue", () => {
    const rows = tablesIn(sectionOf(operating, "Metrics"))[0] ?? [];
    const shown = rows.map(([name, type, unit, , help]) => [name?.replaceAll("`", ""), type, unit, help]);
    expect(shown).toEqual(
      Object.entries(METRICS).map(([name, { type, unit, help }]) => [name, type, unit, help]),
    );
    for (const [index, { labels }] of Object.values(METRICS as Record<string, Metric>).entries()) {
      for (const [label, values] of Object.entries(labels)) {
        const cell = rows[index]?.[3] ?? "";
        expect(cell).toContain(`\`${label}\``);
        if (values !== "constant" && values.length <= 12) expect(cell).toContain(values.join(", "));
      }
    }
  });

  test.each(present)("%s names files and classes that exist", (page) => {
    const named = [...read(page).matchAll(/`([^`\n]+)`/g)].map(([, name = ""]) => name);
    const missing = named.filter((name) =>
      FILE.test(name)
        ? !files.some((file) => file === name || file.endsWith(`/${name}`))
        : FOLDER.test(name)
          ? !files.some((file) => file.startsWith(`${name.replace(/\/$/, "")}/`))
          : CLASS.test(name) && !source.includes(name),
    );
    expect(missing).toEqual([]);
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
