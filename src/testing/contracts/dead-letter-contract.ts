import { describe, expect, test } from "bun:test";
import type { DeadLetter, DeadLetterPort, KeptDeadLetter } from "../../application/ports/dead-letter-port.ts";
import { INBOX } from "../../application/ports/inbox-port.ts";
import { brokerOfEachTest } from "./broker-of-each-test.ts";

/** The broker under test. The suite asks for a fresh one, or one that was emptied, for each of its tests. */
export interface DeadLettersUnderTest {
  /** Another node on the same broker; the suite closes it. */
  node(): DeadLetterPort | Promise<DeadLetterPort>;
  /** Resolves when so many milliseconds of the broker's time have passed. */
  elapse(milliseconds: number): Promise<void>;
  /** Called after the nodes were closed. */
  close(): Promise<void>;
}

/**
 * The contract suite of `DeadLetterPort`: the rules DLP-1 to DLP-7, BUD-6 and BUD-7 of docs/PROTOCOL.md. Every test begins
 * with the ID of its rule. Call it at the top of a test file.
 */
export function deadLetterContract(name: string, open: () => Promise<DeadLettersUnderTest>): void {
  describe(`DeadLetterPort on ${name}`, () => {
    const { broker, closing } = brokerOfEachTest(open);

    const make = async () => closing(await broker().node());
    const deadLetter = { channel: "analysis:x", payload: "not JSON", reason: "not_json" };

    test("DLP-1 keep() keeps a dead letter once that several nodes report, and once more for another channel", async () => {
      const all = [await make(), await make(), await make()];
      await Promise.all(all.map((node) => node.keep(deadLetter)));
      await all[0]?.keep({ ...deadLetter, channel: "analysis:y" });
      expect((await kept(await make())).map(({ channel }) => channel)).toEqual(["analysis:x", "analysis:y"]);
    });

    test("DLP-1 keep() keeps the same content again outside its window, and not within a wider one", async () => {
      const node = await make();
      await node.keep(deadLetter);
      await broker().elapse(300);
      await node.keep({ ...deadLetter, windowMs: 60_000 });
      expect(await kept(node)).toHaveLength(1);
      await node.keep({ ...deadLetter, windowMs: 100 });
      expect(await kept(node)).toHaveLength(2);
    });

    test("DLP-2 keep() keeps the same content once for each name, whatever its window", async () => {
      const node = await make();
      await node.keep({ ...deadLetter, name: "1-0" });
      await broker().elapse(50);
      await node.keep({ ...deadLetter, name: "1-0", windowMs: 10 });
      await node.keep({ ...deadLetter, name: "2-0" });
      await node.keep(deadLetter);
      expect(await kept(node)).toHaveLength(3);
    });

    test("DLP-3 keep() keeps the first 64 KiB of a payload in whole characters, with channel, reason and time", async () => {
      const node = await make();
      await node.keep({ ...deadLetter, payload: `a${"ü".repeat(40_000)}` });
      const [one] = await kept(node);
      expect(one).toMatchObject({ channel: "analysis:x", reason: "not_json" });
      expect(one?.payload).toBe(`a${"ü".repeat(32_767)}`);
      expect(new Date(one?.at ?? "").toISOString()).toBe(one?.at ?? "");
    });

    test("DLP-4 keep() keeps the newest 10,000", async () => {
      const node = await make();
      await keepMany(node, deadLetter, 10_050);
      const all = await kept(node);
      expect(all).toHaveLength(10_000);
      expect(all[0]?.payload).toBe("50");
    }, 20_000);

    test("DLP-5 read() gives all of them from either end, over however many pages, and nothing if there are none", async () => {
      const node = await make();
      expect(await kept(node)).toEqual([]);
      await keepMany(node, deadLetter, 250);
      const oldestFirst = await kept(await make());
      expect(oldestFirst.map(({ payload }) => payload)).toEqual(
        Array.from({ length: 250 }, (_, n) => `${n}`),
      );
      expect(new Set(oldestFirst.map(({ id }) => id)).size).toBe(250);
      expect(await kept(node, "newest")).toEqual([...oldestFirst].reverse());
    });

    test("DLP-5 read() may be left in the middle, and goes on if those before are removed meanwhile", async () => {
      const node = await make();
      await keepMany(node, deadLetter, 250);
      for await (const { payload } of node.read("newest")) if (payload === "240") break;
      const read: string[] = [];
      for await (const { id, payload } of node.read("oldest")) {
        read.push(payload);
        await node.remove(id);
      }
      expect(read).toHaveLength(250);
      expect(await kept(node)).toEqual([]);
    });

    test("DLP-6 find() gives the dead letter of an id on any node, and nothing for any other text", async () => {
      const node = await make();
      await node.keep(deadLetter);
      await node.keep({ ...deadLetter, payload: "another" });
      for (const one of await kept(node)) expect(await (await make()).find(one.id)).toEqual(one);
      for (const text of ["", "no id", "-", "+", "99999999999999-0", "0-0"])
        expect([text, await node.find(text)]).toEqual([text, undefined]);
    });

    test("DLP-7 remove() removes one, once, whoever kept it", async () => {
      const [one, two] = [await make(), await make()];
      await one.keep(deadLetter);
      await one.keep({ ...deadLetter, payload: "stays" });
      const [first] = await kept(one);
      const id = first?.id ?? "";
      expect([await two.remove(id), await one.remove(id)]).toEqual([true, false]);
      expect(await one.find(id)).toBeUndefined();
      expect((await kept(two)).map(({ payload }) => payload)).toEqual(["stays"]);
      for (const text of ["", "no id", "*", "99999999999999-0"])
        expect([text, await one.remove(text)]).toEqual([text, false]);
    });

    test("DLP-7 a dead letter that was removed takes up no room", async () => {
      const node = await make();
      await node.keep({ ...deadLetter, payload: "the first" });
      await keepMany(node, { ...deadLetter, channel: "user:bob" }, 10_000 - 1);
      for (const one of (await kept(node)).slice(1, 11)) await node.remove(one.id);
      await keepMany(node, { ...deadLetter, channel: "user:alice" }, 10);
      const all = await kept(node);
      expect([all.length, all[0]?.payload]).toEqual([10_000, "the first"]);
    }, 20_000);

    test("DLP-7 nodes that closed close again, and harm no other", async () => {
      const [one, two] = [await make(), await make()];
      await one.keep(deadLetter);
      await one.close();
      await one.close();
      expect(await kept(two)).toHaveLength(1);
      expect(two.trouble).toBeUndefined();
    });

    test("BUD-6 every field of a dead letter is cut, and shows that it was", async () => {
      const node = await make();
      const channel = `user:${"ü".repeat(2_500_000)}`;
      await node.keep({ channel, payload: "{", reason: `invalid: ${"r".repeat(2_000_000)}` });
      const [one] = await kept(node);
      expect(one?.channel).toStartWith("user:üüü");
      expect(one?.reason).toStartWith("invalid: rrr");
      expect([one?.channel, one?.reason].every((text) => text?.endsWith(" … (cut)"))).toBe(true);
      expect(Buffer.byteLength(one?.channel ?? "")).toBeLessThanOrEqual(512);
      expect(Buffer.byteLength(one?.reason ?? "")).toBeLessThanOrEqual(1024);
      // The broker recognises it by the whole of it, not by the part that was kept.
      await node.keep({ channel: `${channel}ü`, payload: "{", reason: "invalid" });
      expect(await kept(node)).toHaveLength(2);
    });

    const analysis = "analysis:0e8dddc7-9ebf-01f3-f08a-5a3f91f1c3c0";
    const others = [analysis, "user:alice", "system:updates", INBOX, "analysis:job-42"];

    test.each([["user:alice"], ["analysis:job-42"]])(
      "BUD-7 however many dead letters there are of %s, those of the other kinds stay",
      async (flooding) => {
        const node = await make();
        for (const channel of others) await node.keep({ ...deadLetter, channel, payload: "the first" });
        await keepMany(node, { ...deadLetter, channel: flooding }, 10_100);
        const all = await kept(node);
        expect(all).toHaveLength(10_000);
        const first = all.filter(({ payload }) => payload === "the first").map(({ channel }) => channel);
        expect(first).toEqual(others.filter((channel) => channel !== flooding));
      },
      30_000,
    );

    test("BUD-7 dead letters hold at most 64 MiB in all, and the oldest go of the kind that has the most", async () => {
      const node = await make();
      await node.keep({ ...deadLetter, channel: analysis });
      await node.keep({ ...deadLetter, channel: "user:alice" });
      for (let n = 0; n < 1_100; n++)
        await node.keep({ ...deadLetter, channel: "user:bob", payload: `${n} ${"x".repeat(70_000)}` });
      const all = await kept(node);
      expect(all[0]?.channel).toBe(analysis);
      const bytes = all.reduce((sum, one) => sum + Buffer.byteLength(one.payload), 0);
      expect(bytes).toBeWithin(63 * 1024 * 1024, 64 * 1024 * 1024);
      expect(all[1]?.channel).toBe("user:bob");
      expect(all.at(-1)?.payload).toStartWith("1099 ");
    }, 60_000);
  });
}

async function kept(
  node: DeadLetterPort,
  from: "oldest" | "newest" = "oldest",
): Promise<readonly KeptDeadLetter[]> {
  const all: KeptDeadLetter[] = [];
  for await (const one of node.read(from)) all.push(one);
  return all;
}

/** As many at once as a connection takes before its first command times out, on a busy machine too. */
async function keepMany(node: DeadLetterPort, deadLetter: DeadLetter, count: number): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const numbers = Array.from({ length: Math.min(500, count - from) }, (_, index) => from + index);
    await Promise.all(numbers.map((n) => node.keep({ ...deadLetter, payload: `${n}` })));
  }
}
