import { describe, expect, test } from "bun:test";
import { printable, printableJson, printableLines } from "../../../../src/gateway/commands/printable.ts";

const OBEYED = ["\u0000", "\u001b", "\u007f", "\u009b", "\u061c", "\u202e", "\u2066", "\u2028"];

describe("text for a terminal", () => {
  test.each(OBEYED)("has the character %j as an escape, in a text and in JSON", (character) => {
    const code = `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
    expect(printable(`a${character}b`)).toBe(`a${code}b`);
    const json = JSON.stringify({ [character]: [`"${character}\\`] });
    expect(printableJson(json)).toContain(code);
    expect(JSON.parse(printableJson(json))).toEqual(JSON.parse(json));
  });

  test("keeps its lines, and every other character", () => {
    expect(printableLines("é\n動🎬\u001b\n")).toBe("é\n動🎬\\u001b\n");
    expect(printableJson('{ "é": "動🎬\\n\\u0041" }\n')).toBe('{ "é": "動🎬\\n\\u0041" }\n');
  });
});

describe("an escape of JSON", () => {
  test.each([
    [String.raw`"\ud800"`, String.raw`"\ufffd"`],
    [String.raw`"\uDC00x"`, String.raw`"\ufffdx"`],
    [String.raw`"\ud800\ud83c\udfac\u0041"`, String.raw`"\ufffd\ud83c\udfac\u0041"`],
    [String.raw`"\\ud800"`, String.raw`"\\ud800"`],
    [String.raw`"\\\ud800"`, String.raw`"\\\ufffd"`],
  ])("%s is written as %s", (json, written) => {
    expect(printableJson(json)).toBe(written);
  });
});
