import { describe, expect, test } from "bun:test";
import type { BareMessage, WorkerChannelPort } from "../../application/ports/worker-channel-port.ts";
import { eventually } from "../eventually.ts";
import { brokerOfEachTest } from "./broker-of-each-test.ts";

export interface KeptLetter {
  readonly channel: string;
  readonly payload: string;
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** A broker with workers; a fresh one, or one that was emptied, for every test. */
export interface WorkersUnderTest {
  /** Another node on the same broker; closed by the suite. */
  node(): WorkerChannelPort;
  /** As a worker does. Resolves when the broker has it. */
  publish(channel: string, payload: string): Promise<void>;
  /** Oldest first. */
  letters(): Promise<readonly KeptLetter[]>;
  /** Lets so much of the broker's time pass. */
  elapse(milliseconds: number): Promise<void>;
  /** After the nodes were closed. */
  close(): Promise<void>;
}

export function workerChannelContract(name: string, open: () => Promise<WorkersUnderTest>): void {
  describe(`WorkerChannelPort on ${name}`, () => {
    const { broker, closing } = brokerOfEachTest(open);

    const make = () => closing(broker().node());
    const listening = async () => {
      const node = make();
      const heard: BareMessage[] = [];
      await node.listen((message) => heard.push(message));
      return { node, heard };
    };
    const payloads = (heard: readonly BareMessage[]) => heard.map(({ payload }) => payload);
    const letter = { channel: "analysis:x", payload: "not JSON", reason: "not_json" };

    test("WC-1 every node that listens hears every message, in the order they were published", async () => {
      const all = [await listening(), await listening()];
      const sent = Array.from({ length: 300 }, (_, n) => ({
        channel: ["analysis:A3", "user:al ice", "system:updates"][n % 3] ?? "",
        payload: `Prüfung ${n} 🎬`,
      }));
      for (const { channel, payload } of sent) await broker().publish(channel, payload);
      for (const { heard } of all) {
        await eventually("all is heard", async () => heard.length === sent.length);
        expect(heard.map(({ channel, payload }) => ({ channel, payload }))).toEqual(sent);
      }
    });

    test("WC-2 what came before the end of listening is heard, and nothing after; the others go on", async () => {
      const [leaving, staying] = [await listening(), await listening()];
      for (let n = 0; n < 200; n++) await broker().publish("analysis:x", `${n}`);
      await leaving.node.stopListening();
      expect(leaving.heard).toHaveLength(200);
      await broker().publish("analysis:x", "after");
      await eventually("it is heard", async () => payloads(staying.heard).includes("after"));
      await leaving.node.stopListening();
      expect(leaving.heard).toHaveLength(200);
    });

    test("WC-3 a node knows since when it listens, and whether another one does", async () => {
      const silent = make();
      expect(silent.listening()).toBeUndefined();
      const { node: one } = await listening();
      await eventually("it knows that it is alone", async () => one.listening()?.others === false);
      const { node: two } = await listening();
      await eventually("the newcomer knows", async () => two.listening()?.others === true);
      await eventually("so does the other", async () => one.listening()?.others === true);
      expect([one.listening()?.newcomer, two.listening()?.newcomer]).toEqual([false, true]);
      const [first, second] = [one.listening()?.since ?? 0, two.listening()?.since ?? 0];
      expect(first).toBeGreaterThan(0);
      expect(second).toBeGreaterThanOrEqual(first);
      await two.stopListening();
      expect(two.listening()).toBeUndefined();
      await eventually("it is alone again", async () => one.listening()?.others === false);
      expect(one.listening()?.since).toBe(first);
    });

    test("WC-4 a message says how late it may be: seconds at most on a good connection", async () => {
      const { node, heard } = await listening();
      await broker().publish("analysis:x", "x");
      await eventually("it is heard", async () => heard.length === 1);
      expect(heard[0]?.lateMs ?? 0).toBeWithin(0, 6_000);
      expect(node.away).toBeUndefined();
      await node.stopListening();
      expect(node.away).toBeUndefined();
    });

    test("WC-9 nodes that listened before name a message alike, and no other of the same bytes so", async () => {
      const all = [await listening(), await listening(), await listening()];
      const names = () =>
        all.map(({ heard }) =>
          heard.map(({ occurrence: { content, stretch, number } }) => `${content} ${stretch} ${number}`),
        );
      await eventually("all count alike", async () => {
        for (const { heard } of all) heard.length = 0;
        await broker().publish("analysis:x", "again");
        await eventually("it is heard", async () => all.every(({ heard }) => heard.length === 1));
        return new Set(names().flat()).size === 1;
      });
      for (const { heard } of all) heard.length = 0;
      for (let n = 0; n < 50; n++) await broker().publish("analysis:x", `${n % 3}`);
      await eventually("all is heard", async () => all.every(({ heard }) => heard.length === 50));
      const [one = [], ...others] = names();
      for (const other of others) expect(other).toEqual(one);
      expect(new Set(one).size).toBe(50);
      expect(all[0]?.heard.slice(1).every(({ occurrence }) => occurrence.before === "other")).toBe(true);
    });

    test("WC-5 a letter that several nodes report is kept once, on another channel once more", async () => {
      const all = [make(), make(), make()];
      await Promise.all(all.map((node) => node.keepDeadLetter(letter)));
      await all[0]?.keepDeadLetter({ ...letter, channel: "analysis:y" });
      expect((await broker().letters()).map(({ channel }) => channel)).toEqual(["analysis:x", "analysis:y"]);
    });

    test("WC-5 outside the window of the report it is another letter, within a wider one it is not", async () => {
      const node = make();
      await node.keepDeadLetter(letter);
      await broker().elapse(300);
      await node.keepDeadLetter({ ...letter, windowMs: 60_000 });
      expect(await broker().letters()).toHaveLength(1);
      await node.keepDeadLetter({ ...letter, windowMs: 100 });
      expect(await broker().letters()).toHaveLength(2);
    });

    test("WC-6 the same content under two names is two letters, under one name one, whatever its window", async () => {
      const node = make();
      await node.keepDeadLetter({ ...letter, name: "1-0" });
      await broker().elapse(50);
      await node.keepDeadLetter({ ...letter, name: "1-0", windowMs: 10 });
      await node.keepDeadLetter({ ...letter, name: "2-0" });
      await node.keepDeadLetter(letter);
      expect(await broker().letters()).toHaveLength(3);
    });

    test("WC-7 of a letter the first 64 KiB are kept, whole characters only", async () => {
      await make().keepDeadLetter({ ...letter, payload: `a${"ü".repeat(40_000)}` });
      const [kept] = await broker().letters();
      expect(kept).toMatchObject({ channel: "analysis:x", reason: "not_json", at: expect.any(Number) });
      expect(kept?.payload).toBe(`a${"ü".repeat(32_767)}`);
    });

    test("WC-8 at most 10,000 letters are kept, the newest", async () => {
      const node = make();
      await keepMany(node, letter, 10_050);
      const kept = await broker().letters();
      expect(kept).toHaveLength(10_000);
      expect(kept[0]?.payload).toBe("50");
    }, 20_000);

    test("BUD-6 every field of a letter is cut, and the cut is to be seen", async () => {
      const node = make();
      const channel = `user:${"ü".repeat(2_500_000)}`;
      await node.keepDeadLetter({ channel, payload: "{", reason: `invalid: ${"r".repeat(2_000_000)}` });
      const [kept] = await broker().letters();
      expect(kept?.channel).toStartWith("user:üüü");
      expect(kept?.reason).toStartWith("invalid: rrr");
      expect([kept?.channel, kept?.reason].every((text) => text?.endsWith(" … (cut)"))).toBe(true);
      expect(Buffer.byteLength(kept?.channel ?? "")).toBeLessThanOrEqual(512);
      expect(Buffer.byteLength(kept?.reason ?? "")).toBeLessThanOrEqual(1024);
      // Known again by what it was, not by what was kept of it.
      await node.keepDeadLetter({ channel: `${channel}ü`, payload: "{", reason: "invalid" });
      expect(await broker().letters()).toHaveLength(2);
    });

    const analysis = "analysis:0e8dddc7-9ebf-01f3-f08a-5a3f91f1c3c0";
    const others = [analysis, "user:alice", "system:updates", "telltale:inbox", "analysis:job-42"];

    test.each([["user:alice"], ["analysis:job-42"]])(
      "BUD-7 however many letters there are of %s, those of the other kinds stay",
      async (flooding) => {
        const node = make();
        for (const channel of others) await node.keepDeadLetter({ ...letter, channel, payload: "the first" });
        await keepMany(node, { ...letter, channel: flooding }, 10_100);
        const kept = await broker().letters();
        expect(kept).toHaveLength(10_000);
        const first = kept.filter(({ payload }) => payload === "the first").map(({ channel }) => channel);
        expect(first).toEqual(others.filter((channel) => channel !== flooding));
      },
      30_000,
    );

    test("BUD-7 letters are at most 64 MiB in all, and what is too much goes of the kind that has the most", async () => {
      const node = make();
      await node.keepDeadLetter({ ...letter, channel: analysis });
      await node.keepDeadLetter({ ...letter, channel: "user:alice" });
      for (let n = 0; n < 1_100; n++)
        await node.keepDeadLetter({ ...letter, channel: "user:bob", payload: `${n} ${"x".repeat(70_000)}` });
      const kept = await broker().letters();
      expect([kept.length, kept[0]?.channel]).toEqual([expect.any(Number), analysis]);
      const bytes = kept.reduce((sum, one) => sum + Buffer.byteLength(one.payload), 0);
      expect(bytes).toBeWithin(63 * 1024 * 1024, 64 * 1024 * 1024);
      expect(kept[1]?.channel).toBe("user:bob");
      expect(kept.at(-1)?.payload).toStartWith("1099 ");
    }, 30_000);
  });
}

/** As many at once as a connection takes before its first command times out, on a busy machine too. */
async function keepMany(
  node: WorkerChannelPort,
  letter: Omit<KeptLetter, "at">,
  count: number,
): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const numbers = Array.from({ length: Math.min(500, count - from) }, (_, index) => from + index);
    await Promise.all(numbers.map((n) => node.keepDeadLetter({ ...letter, payload: `${n}` })));
  }
}
