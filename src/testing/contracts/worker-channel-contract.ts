import { describe, expect, test } from "bun:test";
import type { BareMessage, WorkerChannelPort } from "../../application/ports/worker-channel-port.ts";
import { eventually } from "../eventually.ts";
import { brokerOfEachTest } from "./broker-of-each-test.ts";

/** The broker under test. The suite asks for a fresh one, or one that was emptied, for each of its tests. */
export interface WorkersUnderTest {
  /** Another node on the same broker; the suite closes it. */
  node(): WorkerChannelPort | Promise<WorkerChannelPort>;
  /** Publishes as a worker does. Resolves when the broker has the message. */
  publish(channel: string, payload: string): Promise<void>;
  /** Resolves when so many milliseconds of the broker's time have passed. */
  elapse(milliseconds: number): Promise<void>;
  /** Called after the nodes were closed. */
  close(): Promise<void>;
}

interface WorkerChannelCapabilities {
  /** Every node hears all messages in one order. Otherwise WC-9 is left out. Default: true. */
  readonly oneOrder?: boolean;
}

/**
 * The contract suite of `WorkerChannelPort`: the rules WC-1 to WC-4 and WC-9 of docs/PROTOCOL.md. Every test begins with the
 * ID of its rule. Call it at the top of a test file.
 */
export function workerChannelContract(
  name: string,
  open: () => Promise<WorkersUnderTest>,
  { oneOrder = true }: WorkerChannelCapabilities = {},
): void {
  describe(`WorkerChannelPort on ${name}`, () => {
    const { broker, closing } = brokerOfEachTest(open);

    const make = async () => closing(await broker().node());
    const listening = async () => {
      const node = await make();
      const heard: BareMessage[] = [];
      await node.listen((message) => heard.push(message));
      return { node, heard };
    };
    const payloads = (heard: readonly BareMessage[]) => heard.map(({ payload }) => payload);

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

    test("WC-2 stopListening() lets a node hear every message before it, and none after; the others go on", async () => {
      const [leaving, staying] = [await listening(), await listening()];
      for (let n = 0; n < 200; n++) await broker().publish("analysis:x", `${n}`);
      await leaving.node.stopListening();
      expect(leaving.heard).toHaveLength(200);
      await broker().publish("analysis:x", "after");
      await eventually("it is heard", async () => payloads(staying.heard).includes("after"));
      await leaving.node.stopListening();
      expect(leaving.heard).toHaveLength(200);
    });

    test("WC-3 listening() says since when a node listens, and whether another one does", async () => {
      const silent = await make();
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

    test.skipIf(!oneOrder)(
      "WC-9 nodes that listened before name a message alike, and no other of the same bytes so",
      async () => {
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
      },
    );
  });
}
