import { describe, expect, test } from "bun:test";
import { LineLimit, MOST_LINES, WINDOW_MS } from "../../../../src/adapters/telemetry/line-limit.ts";
import type { LogFields } from "../../../../src/application/ports/telemetry-port.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";

function opened() {
  const clock = new ManualClock();
  const lines: [level: string, message: string, fields: LogFields][] = [];
  const limit = new LineLimit(clock, (...line) => void lines.push(line));
  const messages = () => lines.map(([, message]) => message);
  return { clock, lines, limit, messages };
}

describe("the log", () => {
  test("BUD-8: has twenty lines of one message in ten seconds, then one with the number of the others", () => {
    const { clock, lines, limit, messages } = opened();
    for (let n = 0; n < 10_100; n++) limit.log("warn", "refused", { n });
    expect(messages()).toEqual(Array(MOST_LINES).fill("refused"));
    clock.advance(WINDOW_MS);
    expect(lines.slice(MOST_LINES)).toEqual([
      ["warn", "refused: and 10080 more", { more: 10_080, seconds: 10 }],
    ]);
    clock.advance(WINDOW_MS);
    expect(lines).toHaveLength(MOST_LINES + 1);
    limit.log("warn", "refused", {});
    expect(messages().at(-1)).toBe("refused");
  });

  test("BUD-8: limits each message, level and kind apart from the others", () => {
    const { limit, lines } = opened();
    for (let n = 0; n < 100; n++) limit.log("warn", "refused", { kind: "user" });
    limit.log("warn", "refused", { kind: "analysis" });
    limit.log("error", "refused", { kind: "user" });
    limit.log("warn", "lost", { kind: "user" });
    expect(lines.slice(MOST_LINES)).toEqual([
      ["warn", "refused", { kind: "analysis" }],
      ["error", "refused", { kind: "user" }],
      ["warn", "lost", { kind: "user" }],
    ]);
    limit.flush();
    expect(lines.slice(MOST_LINES + 3)).toEqual([
      ["warn", "refused: and 80 more", { kind: "user", more: 80, seconds: 10 }],
    ]);
  });

  test("has every debug line", () => {
    const { limit, lines } = opened();
    for (let n = 0; n < 100; n++) limit.log("debug", "reading", {});
    expect(lines).toHaveLength(100);
  });

  test("BUD-8: has no text longer than 1 KiB, and shows where one was cut", () => {
    const { limit, lines } = opened();
    const long = "ü".repeat(5_000_000);
    limit.log("warn", long, { channel: long, kind: long, count: 7, none: undefined, short: "s" });
    const [[, message = "", { channel, kind, ...rest } = {}] = []] = lines;
    for (const text of [message, String(channel), String(kind)]) {
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(1024);
      expect(text).toEndWith("ü … (cut)");
    }
    expect(rest).toEqual({ count: 7, none: undefined, short: "s" });
    expect(JSON.stringify(lines).length).toBeLessThan(8 * 1024);
  });
});
