import { describe, expect, test } from "bun:test";
import { passagesOf } from "../../../scripts/check/prose/passages.ts";
import { findingsIn } from "../../../scripts/check/prose/rules.ts";

function offences(path: string, source: string): string[] {
  return passagesOf(path, source)
    .flatMap(findingsIn)
    .map(({ line, words, use }) => `${line}: ${words} — use ${use}`);
}

function inComment(text: string): string[] {
  return passagesOf("a.ts", `/** ${text} */`)
    .flatMap(findingsIn)
    .map(({ use }) => use);
}

const ifOrWhen = '"if" or "when"';
const noun = "a noun: who or which thing does it";

describe("the prose check", () => {
  test.each([
    ["Undefined where the text is no UUID.", [ifOrWhen]],
    ["Pings the client; a minute where it is not given.", [ifOrWhen]],
    ["Where Redis refuses a command, the line is named.", [ifOrWhen]],
    ["One more than the newest where none was kept.", [ifOrWhen]],
    ["Throws `Refused` where the command would not be sent.", [ifOrWhen]],
    ["The table where close codes are listed.", []],
    ["Where in the ring the next event begins.", []],
    ["Tells where the feed was when the question was sent.", []],
    ["Leaves the entries where they are.", []],
  ])("tells a condition from a place: %s", (text, uses) => {
    expect(inComment(text)).toEqual(uses);
  });

  test.each([
    ["What a client may ask for.", [noun]],
    ["Closes the socket. What waited is dropped.", [noun]],
    ["Whoever watches is told.", ["a noun: the client, worker, node … that"]],
    ["Of many entries the oldest.", ["the subject first"]],
    ["Of course.", []],
    ["What happens on SIGTERM?", []],
    ["The gateway keeps what it was sent.", []],
  ])("finds a sentence without an actor: %s", (text, uses) => {
    expect(inComment(text)).toEqual(uses);
  });

  test.each([
    ["Sends a lot of 500.", '"batch"'],
    ["The message is buried.", '"keep as a dead letter"'],
    ["The outlet of a socket.", '"connection writer"'],
    ["The fanout begins.", '"broadcaster" (or "fan-out" for the whole)'],
    ["Adopted messages.", '"ingest"'],
    ["The connection is deaf.", '"stalled subscription"'],
    ["The hearing probe.", '"subscription probe"'],
    ["The feed mistrusts it.", '"resync", with its reason'],
    ["The feed heals.", '"resync"'],
    ["The terminal event that stands.", '"position", "current", "remains" or a plain "is"'],
    ["A thinned status.", '"conflate"'],
    ["The letter is removed.", '"dead letter"'],
    ["A request seen before.", '"has a known deduplication key"'],
  ])("names the word of the vocabulary: %s", (text, use) => {
    expect(inComment(text)).toEqual([use]);
  });

  test.each([
    "The fan-out of a channel.",
    "A dead letter, and two dead letters.",
    "Capital letters count, as do letters and digits.",
    "A name of at most 15 letters, two letters swapped, or no name with any letter.",
    "Hexadecimal digits, letters and marks; two swapped letters count.",
    "U+FFFD stands for a byte that is no UTF-8.",
    "Counts `feed_heals` and reads `what` from src/lot/deaf.ts.",
    "The field answers LOT.",
  ])("accepts: %s", (text) => {
    expect(inComment(text)).toEqual([]);
  });

  test("reads comments, test names and error messages of TypeScript, and no other string", () => {
    const source = [
      'const quiet = "what is deaf";',
      "const pattern = /\\/\\/ deaf/;",
      "// A run of comments: the link",
      "// is deaf.",
      'test("WS-1: what was sent arrives", () => {',
      '  throw new TypeError("the letter is lost");',
      "});",
      "const text = `// deaf $" + "{a /* deaf */}`;",
    ].join("\n");
    expect(offences("a.test.ts", source)).toEqual([
      '4: deaf. — use "stalled subscription"',
      `5: what was sent arrives — use ${noun}`,
      '6: letter is lost — use "dead letter"',
    ]);
  });

  test("reads the comments of Lua, Python and CSS", () => {
    expect(offences("a.lua", 'local a = "deaf" -- deaf\n')).toEqual(['1: deaf — use "stalled subscription"']);
    expect(offences("a.py", '"""Of a worker."""\na = "deaf"  # deaf\n')).toEqual([
      "1: Of a worker. — use the subject first",
      '2: deaf — use "stalled subscription"',
    ]);
    expect(offences("a.css", "/* deaf */ .deaf {}\n")).toEqual(['1: deaf — use "stalled subscription"']);
  });

  test("reads the paragraphs, items and cells of a document, and no code", () => {
    const source = [
      "# Who",
      "",
      "| What it is | deaf |",
      "",
      "- What it does",
      "",
      "```",
      "deaf",
      "```",
      "",
    ].join("\n");
    expect(offences("a.md", source)).toEqual([
      "1: Who — use a noun: the client, worker, node … that",
      `3: What it is — use ${noun}`,
      '3: deaf — use "stalled subscription"',
      `5: What it does — use ${noun}`,
    ]);
  });
});
