import { describe, expect, test } from "bun:test";
import { NewerFormat } from "../../application/errors.ts";
import { CollectingSubscriber } from "../collecting-subscriber.ts";
import { status } from "../encoded-events.ts";
import { eventually } from "../eventually.ts";
import { someAnalysis } from "../some-analysis.ts";
import { brokerOfEachTest } from "./broker-of-each-test.ts";
import { appendRules } from "./pub-sub-append-rules.ts";
import { attemptRules } from "./pub-sub-attempt-rules.ts";
import { contentRules } from "./pub-sub-content-rules.ts";
import { deduplicationRules } from "./pub-sub-deduplication-rules.ts";
import { deliveryRules } from "./pub-sub-delivery-rules.ts";
import { entryRules } from "./pub-sub-entry-rules.ts";
import { historyRules } from "./pub-sub-history-rules.ts";
import { snapshotRules } from "./pub-sub-snapshot-rules.ts";
import type { PubSubRuleContext, PubSubUnderTest } from "./pub-sub-under-test.ts";

/*
 * The rules of PubSubPort. Every test of the suite begins with the id of the rule it holds.
 *
 * | Rule  | What a broker adapter guarantees                                                                       |
 * |-------|--------------------------------------------------------------------------------------------------------|
 * | PS-1  | append resolves only after the events are stored: whoever reads then, on any node, finds them           |
 * | PS-2  | an append stores and delivers all of its events or none                                                 |
 * | PS-3  | offsets of a channel are 1, 2, 3 … without holes, from however many nodes and appends at once           |
 * | PS-4  | the appends that one node makes are stored in the order in which they were called                       |
 * | PS-5  | an event is stored and delivered as `{"event_id":"epoch-offset",` and its members, unchanged            |
 * | PS-6  | once subscribe has resolved, the next append is delivered, on whichever node it was made, in order      |
 * | PS-7  | every subscriber of a node hears every event once; channels do not mix; one that throws harms nobody    |
 * | PS-8  | after unsubscribe nothing is delivered; who leaves and comes back hears again                           |
 * | PS-9  | a request seen before within its window stores nothing and answers the positions of the first time      |
 * | PS-10 | outside its window, on another channel, or in another lane, the same name is a new request              |
 * | PS-11 | the keys of notices are one name space over all notice channels                                         |
 * | PS-12 | a duplicate is a sign of life: it renews when the worker was last heard                                 |
 * | PS-13 | a refused append stores nothing and says which event was refused, and why                               |
 * | PS-14 | the first event of a new attempt supersedes the one before and reopens the analysis                     |
 * | PS-15 | after its terminal event an attempt is ended, but for stage completed after a result and the two faults |
 * | PS-16 | without an attempt id a status after a terminal event reopens, and nothing is refused                   |
 * | PS-17 | the snapshot is the last status, the terminal event that stands, stage marks, epochs and heardAt        |
 * | PS-18 | the snapshot stays right when the events it is made of are trimmed                                      |
 * | PS-19 | history gives what is kept after a position, in order, at most `limit`                                  |
 * | PS-20 | a position that is gone or was never given is answered resumed: false, from the oldest kept             |
 * | PS-21 | at least the N newest events are kept, and at most N + min(N, 200)                                      |
 * | PS-22 | a channel whose counter was lost begins a new epoch at offset 1, and knows no old key                   |
 * | PS-23 | a channel expires its time to live after its last event                                                 |
 * | PS-24 | viewers are read back, told to subscribers on every node, replaced, and expire                          |
 * | PS-25 | a channel written by a newer Telltale is refused with newer_format and left as it is                    |
 * | PS-26 | a page of history says what is kept and of which epochs, as of the instant it was read                |
 * | PS-27 | positions tell where channels stand, in the order asked, and name the line of history the broker is on  |
 * | PS-28 | an inbox entry was seen where it or a later one was stored on its channel, as long as the counter lives  |
 * | PS-29 | of the appends of one turn to one channel each has its own outcome, in order; one that fails takes with |
 * |       | it those called after it                                                                               |
 *
 * | PS-33 | a bare message is stored once by its name, which tells it from others of the same bytes              |
 * | PS-34 | with nothing else stored since, the same bytes within the window are a retry                            |
 * | PS-35 | a bare message that was refused is refused again                                                        |
 * | PS-36 | where the names of two nodes do not tell, what was stored since it was published counts as the same     |
 *
 * PS-30 to PS-32 are about brokers that can be late, or have replicas: `redis-deadlines` and `redis-replicas`.
 */

export function pubSubContract(
  name: string,
  open: () => Promise<PubSubUnderTest>,
  has: { readonly newerFormat: boolean },
): void {
  describe(`PubSubPort on ${name}`, () => {
    const { broker, closing } = brokerOfEachTest(open);

    const context: PubSubRuleContext = {
      broker,
      node: async (history) => closing(await broker().node(history)),
    };

    appendRules(context);
    deliveryRules(context);
    deduplicationRules(context);
    contentRules(context);
    entryRules(context);
    attemptRules(context);
    snapshotRules(context);
    historyRules(context);

    test("health() is up once the broker has answered, with nothing to warn of", async () => {
      const node = await context.node();
      await node.subscribe(someAnalysis(), new CollectingSubscriber());
      await node.snapshot(someAnalysis());
      await eventually("its own trial was stored as well", async () => {
        const health = node.health();
        return health.status === "up" && health.refuses === undefined;
      });
      expect(node.health()).toEqual({ status: "up", warnings: [] });
    });

    test.skipIf(!has.newerFormat)(
      "PS-25 a channel of a newer format is refused and left as it is",
      async () => {
        const node = await context.node();
        const channel = someAnalysis();
        await node.append({ channel, events: [status()] });
        await broker().writeNewerFormat?.(channel);
        await expectNewerFormat(node.append({ channel, events: [status()] }));
        await expectNewerFormat(node.snapshot(channel));
        await expectNewerFormat(node.history(channel, undefined, 10));
        expect(node.health()).toMatchObject({ status: "down", reason: expect.stringContaining("format") });
      },
    );
  });
}

async function expectNewerFormat(answer: Promise<unknown>): Promise<void> {
  const error = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(NewerFormat);
}
