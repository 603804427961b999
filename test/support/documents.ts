import { readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url).pathname;

/** A fenced piece of code in a document. */
export interface Snippet {
  readonly page: string;
  /** The title of the section it is in. */
  readonly heading: string;
  /** `sh`, `python`, `ts` …; empty if the fence names none. */
  readonly language: string;
  readonly text: string;
  /** The reason given in `<!-- not run: reason -->` before the fence, if there is one. */
  readonly notRun: string | undefined;
}

/** The documents of the repository, as paths from its root. */
export function documents(): string[] {
  return ["*.md", "docs/**/*.md", "examples/*/README.md", "clients/*/README.md"].flatMap((pattern) =>
    [...new Bun.Glob(pattern).scanSync({ cwd: root })].sort(),
  );
}

export function readDocument(page: string): string {
  return readFileSync(`${root}${page}`, "utf8");
}

export function snippetsIn(page: string): Snippet[] {
  const snippets: Snippet[] = [];
  let heading = "";
  const blocks = /^#+ (.+)$|^(?:<!-- not run: (.+) -->\n)?```(\w*)\n([\s\S]*?)\n```$/gm;
  for (const [, title, notRun, language = "", text = ""] of readDocument(page).matchAll(blocks)) {
    if (title !== undefined) heading = title;
    else snippets.push({ page, heading, language, text, notRun });
  }
  return snippets;
}

/** The snippet of a language under a heading. Throws unless there is exactly one. */
export function snippetOf(page: string, heading: string, language: string): string {
  const found = snippetsIn(page).filter((one) => one.heading === heading && one.language === language);
  if (found.length !== 1) throw new Error(`${page} has ${found.length} ${language} under ${heading}`);
  return found[0]?.text as string;
}

/** A section with everything below its heading, up to the next heading of any depth. */
export function sectionOf(text: string, heading: string): string {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === heading);
  if (start < 0) throw new Error(`no section ${heading}`);
  const end = lines.findIndex((line, index) => index > start && /^#+ /.test(line));
  return lines.slice(start + 1, end < 0 ? undefined : end).join("\n");
}

/** The rows of each table, without their header: the cells, trimmed. */
export function tablesIn(text: string): string[][][] {
  return [...text.matchAll(/(?:^\|.*\|\n?)+/gm)].map(([table]) =>
    table
      .trim()
      .split("\n")
      .slice(2)
      .map((row) =>
        row
          .split("|")
          .slice(1, -1)
          .map((cell) => cell.trim()),
      ),
  );
}
