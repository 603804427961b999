import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { analysisChannel, parseAnalysisId } from "../../../src/domain/channel.ts";
import { decodeEvent } from "../../../src/domain/decode-event.ts";
import { endInPlaceOf } from "../../../src/domain/refused-end.ts";
import { documents, readDocument, type Snippet, snippetOf, snippetsIn } from "../../support/documents.ts";

const root = new URL("../../../", import.meta.url).pathname;
const drawings = ["mermaid", ""];
/** Files of the repository that a document shows whole. */
const files: Readonly<Record<string, string>> = { nginx: "deploy/nginx.conf", caddyfile: "deploy/Caddyfile" };

describe("the snippets of the documents", () => {
  const snippets = documents().flatMap(snippetsIn);
  const tests = [
    ...new Bun.Glob("test/{unit,integration,e2e,containers}/**/*.test.ts").scanSync({ cwd: root }),
  ]
    .map((path) => readFileSync(`${root}${path}`, "utf8"))
    .join("\n");

  test("are all run by a test, but for a few that say why not", () => {
    const idle = snippets.filter((one) => one.notRun === undefined && !isHeld(one));
    expect(idle.map(({ page, heading, language }) => `${page}, ${heading}: ${language}`)).toEqual([]);
    expect(snippets.length).toBeGreaterThan(20);
    expect(snippets.filter(({ notRun }) => notRun !== undefined).length).toBeLessThanOrEqual(2);
  });

  test("lie inside fences, so that this test sees them", () => {
    for (const page of documents()) {
      const fences = readDocument(page).match(/^ *```/gm)?.length ?? 0;
      expect([page, fences]).toEqual([page, 2 * snippetsIn(page).length]);
    }
  });

  test("that show a file are the file", () => {
    for (const { language, text } of snippets) {
      const file = files[language];
      if (file !== undefined) expect(text.trim()).toBe(readFileSync(`${root}${file}`, "utf8").trim());
    }
  });

  test("show a refused end as the error that is stored in its place", () => {
    const id = parseAnalysisId("0f8fad5b-d9cb-469f-a165-70867728950e");
    if (id === undefined) throw new Error("no id");
    const context = { channel: analysisChannel(id), now: Date.UTC(2026, 10, 24) };
    const { confidence_score: _, ...result } = JSON.parse(
      snippetOf("docs/EVENTS.md", "result_update", "json"),
    );
    const message = JSON.stringify({ ...result, confidence_score: 93 });
    const failure = decodeEvent(message, context);
    if (failure.ok) throw new Error("it is valid");
    const end = endInPlaceOf({ text: message }, failure, context);
    const shown = JSON.parse(snippetOf("docs/PUBLISHING.md", "Events that are refused", "json"));
    expect(JSON.parse(`{${end?.members}`)).toMatchObject(shown);
  });

  /** Whether a test names the page, the heading and the language of the snippet, and so takes its text. */
  function isHeld({ page, heading, language }: Snippet): boolean {
    if (drawings.includes(language) || language in files) return true;
    if (page === "docs/EVENTS.md" && language === "json") return true;
    const named = [page, heading, language].map((text) => `"${text.replaceAll(/[.*+?()|[\]\\]/g, "\\$&")}"`);
    return new RegExp(named.join(",\\s*")).test(tests);
  }
});
