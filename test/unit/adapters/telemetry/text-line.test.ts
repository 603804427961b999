import { describe, expect, test } from "bun:test";
import { textLine } from "../../../../src/adapters/telemetry/text-line.ts";

describe("textLine()", () => {
  const time = Date.UTC(2026, 10, 28, 9, 5, 3, 7);

  test("LOG-1: has the time, the level, the message and the fields", () => {
    const fields = { cause: "unreachable", reason: "it is away", seconds: 1.5, left: undefined, by: null };
    expect(textLine({ time, level: "warn", message: "the broker is away", fields })).toBe(
      '09:05:03.007 WARN  the broker is away cause=unreachable reason="it is away" seconds=1.5 by=null\n',
    );
  });

  test("LOG-1: is one line, and moves no cursor, whatever a value holds", () => {
    const evil = 'a\nb\u001b[2J\u202e"=';
    const line = textLine({ time, level: "error", message: evil, fields: { channel: evil } });
    expect(line.slice(0, -1)).not.toMatch(/\p{C}/u);
    expect(line.endsWith("\n")).toBe(true);
  });
});
