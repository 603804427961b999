import { describe, expect, test } from "bun:test";
import { setTimeout as pause } from "node:timers/promises";
import { type BrokerPorts, capabilitiesOf, closeBroker } from "../../application/ports/broker-ports.ts";
import type { DeduplicationKey } from "../../application/ports/deduplication-key.ts";
import type { InboxEntry } from "../../application/ports/inbox-port.ts";
import type { BareMessage } from "../../application/ports/worker-channel-port.ts";
import { status } from "../encoded-events.ts";
import { eventually } from "../eventually.ts";
import { someAnalysis } from "../some-analysis.ts";
import { brokerOfEachTest } from "./broker-of-each-test.ts";
import { type DeclaredBroker, given, type OpenBrokerUnderTest, opened } from "./broker-under-test.ts";
import { firstEntry } from "./inbox-under-test.ts";
import { restartRules } from "./restart-rules.ts";

/** How long an adapter may take to learn from its broker what it declares. */
const SOON_MS = 3_000;

/**
 * The contract suite of a bundle: the rules BND-1 to BND-7 of docs/PROTOCOL.md, about ports that are opened together, as
 * a gateway opens them. Every test begins with the ID of its rule. Call it at the top of a test file.
 */
export function bundleContract(name: string, open: OpenBrokerUnderTest, declared: DeclaredBroker): void {
  const has = (capability: string) => declared.capabilities.includes(capability);

  describe(`BrokerPorts on ${name}`, () => {
    const { broker } = brokerOfEachTest(() => opened(open));
    const node = async () => broker().node();

    test("BND-1 a bundle declares what its tests say that it declares, no more and no less", async () => {
      const ports = await node();
      await ports.events.snapshot(someAnalysis());
      const end = performance.now() + SOON_MS;
      while (!knows(ports) && performance.now() < end) await pause(20);
      expect(capabilitiesOf(ports).sort()).toEqual([...declared.capabilities].sort());
    });

    test.skipIf(!has("inbox"))(
      "BND-2 an inbox entry waits until a node runs, and is stored once by however many nodes take it",
      async () => {
        const id = await given("add", broker().add)([["event", "{}"]]);
        const [one, two] = [await node(), await node()];
        const taken = await firstOf(one);
        expect(taken.id).toBe(id);
        const request = {
          channel: someAnalysis(),
          events: [status()],
          deduplicate: { by: "entry", id } as const,
        };
        const outcomes = await Promise.all([one, two, one].map(({ events }) => events.append(request)));
        expect(outcomes.map(({ type }) => type).sort()).toEqual(["duplicate", "duplicate", "stored"]);
        await inboxOf(one).remove([id]);
        expect(await inboxOf(two).backlog()).toEqual({ entries: 0, oldest: undefined });
      },
    );

    test.skipIf(!has("worker_channels") || has("worker_channels_kept"))(
      "BND-3 each bare message is stored once by however many nodes hear it",
      async () => {
        const nodes = [await node(), await node()];
        const channel = someAnalysis();
        const heard = nodes.map((): BareMessage[] => []);
        for (const [index, { workerChannels }] of nodes.entries())
          await given("workerChannels", workerChannels).listen((message) => heard[index]?.push(message));
        for (let times = 1; times <= 2; times++) {
          await given("publish", broker().publish)(channel, `${times}`);
          await eventually("both heard it", async () => heard.every((all) => all.length >= times));
          await Promise.all(
            nodes.map(({ events }, index) =>
              events.append({ channel, events: [status()], deduplicate: keyOf(heard[index]?.at(-1)) }),
            ),
          );
        }
        expect((await nodes[0]!.events.snapshot(channel)).position.offset).toBe(2);
      },
    );

    test.skipIf(!has("worker_channels_kept"))(
      "BND-4 an inbox that takes the plain channels of workers has what they published while no node ran",
      async () => {
        await closeBroker(await node());
        await given("addTo", broker().addTo)("user:alice", '{"note":1}');
        expect(await firstOf(await node())).toMatchObject({ channel: "user:alice", event: '{"note":1}' });
      },
    );

    restartRules({ broker, node, declared });

    test("BND-6 a node whose ports are closed closes them again, and harms no other node", async () => {
      const [one, two] = [await node(), await node()];
      const channel = someAnalysis();
      await one.events.append({ channel, events: [status()] });
      await closeBroker(one);
      await closeBroker(one);
      expect(await two.events.append({ channel, events: [status()] })).toMatchObject({ firstOffset: 2 });
      await two.deadLetters.keep({ channel, payload: "{", reason: "not_json" });
      expect(two.deadLetters.trouble).toBeUndefined();
    });

    test.each<[string, DeduplicationKey]>([
      ["inbox", { by: "entry", id: declared.inbox?.entryIds[0] ?? "1-1" }],
      ["worker channels", someOccurrence()],
    ])(
      "BND-7 a bundle that has no %s never stores a request of theirs twice: it refuses it, or knows it again",
      async (_, key) => {
        const { events } = await node();
        const channel = someAnalysis();
        const append = () =>
          events.append({ channel, events: [status()], deduplicate: key }).then(
            ({ type }) => type,
            (error: unknown) => {
              expect(error).toBeInstanceOf(Error);
              return "rejected";
            },
          );
        const outcomes = [await append(), await append()];
        expect([
          ["stored", "duplicate"],
          ["rejected", "rejected"],
        ]).toContainEqual(outcomes);
        const { position } = await events.snapshot(channel);
        expect(position.offset).toBe(outcomes[0] === "stored" ? 1 : 0);
      },
    );
  });
}

/** Whether the adapter has learnt all that it may declare. */
function knows({ events: { durability } }: BrokerPorts): boolean {
  return durability.keptIn !== undefined && durability.replicas !== undefined;
}

function inboxOf({ inbox }: BrokerPorts) {
  return given("inbox", inbox);
}

async function firstOf(node: BrokerPorts): Promise<InboxEntry> {
  return firstEntry(inboxOf(node));
}

function keyOf(message: BareMessage | undefined): DeduplicationKey {
  const { occurrence, lateMs = 0 } = given("message", message);
  return { by: "occurrence", occurrence, reachMs: lateMs + 5_000, ageMs: 0, retryMs: 0, rememberMs: 60_000 };
}

function someOccurrence(): DeduplicationKey {
  const stretch = `server.1.${crypto.randomUUID()}`;
  const occurrence = { content: "c", stretch, listener: "l", number: 1, before: "other" } as const;
  return { by: "occurrence", occurrence, reachMs: 5_000, ageMs: 0, retryMs: 0, rememberMs: 60_000 };
}
