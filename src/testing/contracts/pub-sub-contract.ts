import { describe, expect, test } from "bun:test";
import { NewerFormat } from "../../application/errors.ts";
import { CollectingSubscriber } from "../collecting-subscriber.ts";
import { status } from "../encoded-events.ts";
import { eventually } from "../eventually.ts";
import { someAnalysis } from "../some-analysis.ts";
import { brokerOfEachTest } from "./broker-of-each-test.ts";
import { appendRules } from "./pub-sub-append-rules.ts";
import { attemptRules } from "./pub-sub-attempt-rules.ts";
import { cancelRules } from "./pub-sub-cancel-rules.ts";
import { contentRules } from "./pub-sub-content-rules.ts";
import { deduplicationRules } from "./pub-sub-deduplication-rules.ts";
import { deliveryRules } from "./pub-sub-delivery-rules.ts";
import { endedCancelRules } from "./pub-sub-ended-cancel-rules.ts";
import { entryRules } from "./pub-sub-entry-rules.ts";
import { historyRules } from "./pub-sub-history-rules.ts";
import { namedEntryRules } from "./pub-sub-named-entry-rules.ts";
import { runRules } from "./pub-sub-run-rules.ts";
import { snapshotRules } from "./pub-sub-snapshot-rules.ts";
import type { PubSubCapabilities, PubSubRuleContext, PubSubUnderTest } from "./pub-sub-under-test.ts";

/**
 * The contract suite of `PubSubPort`: the rules PS-1 to PS-45 of docs/PROTOCOL.md, but for PS-30 to PS-32, which are about
 * brokers that can be late or have replicas. Every test begins with the ID of its rule. Call it at the top of a test file.
 */
export function pubSubContract(
  name: string,
  open: () => Promise<PubSubUnderTest>,
  has: PubSubCapabilities,
): void {
  describe(`PubSubPort on ${name}`, () => {
    const { broker, closing } = brokerOfEachTest(open);

    const context: PubSubRuleContext = {
      broker,
      node: async (history) => closing(await broker().node(history)),
    };

    appendRules(context);
    deliveryRules(context);
    deduplicationRules(context, has);
    if (has.occurrences) contentRules(context);
    if (has.entryIds.length > 0) entryRules(context, has.entryIds);
    if (has.entryKeys === true) namedEntryRules(context, has.entryIds);
    attemptRules(context);
    snapshotRules(context);
    if (has.cancels !== false) {
      cancelRules(context);
      runRules(context);
      if (has.endedCancels === true) endedCancelRules(context);
    }
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
