import { describe, expect, test } from "bun:test";
import { MAX_EVENT_BYTES } from "../../../../src/domain/decode-event.ts";
import { eventLines } from "../../../../src/gateway/commands/event-lines.ts";

const MOST = MAX_EVENT_BYTES + 16 * 1024;

/** The text or the fault of each line, with its number. */
async function linesOf(input: AsyncIterable<Uint8Array>, signal = new AbortController().signal) {
  const lines: string[] = [];
  for await (const { number, text, fault } of eventLines(input, signal))
    lines.push(`${number} ${text ?? fault}`);
  return lines;
}

/** One buffer, used again for each piece, as a reader may do. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let from = 0; from < bytes.length; from += size) {
    const piece = bytes.subarray(from, from + size);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
  }
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

describe("the lines of events", () => {
  test.each([1, 2, 3, 1000])("end at \\n and \\r\\n alone, in pieces of %d bytes", async (size) => {
    const input = bytesOf("\ufeffa\u2028b\u2029c\n\nd\re\r\n\ufefff\u0085動🎬");
    expect(await linesOf(pieces(input, size))).toEqual([
      "1 a\u2028b\u2029c",
      "2 ",
      "3 d\re",
      "4 \ufefff\u0085動🎬",
    ]);
  });

  test.each([{ bad: [0x80] }, { bad: [0xc3, 0x28] }, { bad: [0xed, 0xa0, 0x80] }])(
    "are refused by number if they hold bytes as in %j, which are not UTF-8",
    async ({ bad }) => {
      const input = new Uint8Array([0x61, 0x0a, 0x22, ...bad, 0x22, 0x0a, 0x62]);
      expect(await linesOf(pieces(input, 2))).toEqual(["1 a", "2 it is not UTF-8", "3 b"]);
    },
  );

  test("are refused by number if they are longer than an event may be, and are held no further", async () => {
    const chunk = new Uint8Array(64 * 1024).fill(0x61);
    let given = 0;
    async function* input() {
      yield bytesOf("a\n");
      for (; given < 4_000; given++) yield chunk;
      yield bytesOf("\nb");
    }
    const before = process.memoryUsage().rss;
    expect(await linesOf(input())).toEqual(["1 a", `2 it has more than ${MOST} bytes`, "3 b"]);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });

  test("may have as many bytes as an event and its analysis_id", async () => {
    const line = "a".repeat(MOST);
    expect(await linesOf(pieces(bytesOf(`${line}\n${line}a`), 50_000))).toEqual([
      `1 ${line}`,
      `2 it has more than ${MOST} bytes`,
    ]);
  });

  test("end when they are stopped, also while no more bytes come", async () => {
    const abort = new AbortController();
    async function* input() {
      yield bytesOf("a\nb");
      queueMicrotask(() => abort.abort());
      await new Promise(() => {});
    }
    expect(await linesOf(input(), abort.signal)).toEqual(["1 a"]);
  });
});
