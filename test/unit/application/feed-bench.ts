import { ChannelFeed } from "../../../src/application/fan-out/channel-feed.ts";
import type { EncodedEvent } from "../../../src/domain/analysis-event.ts";
import { latestEvents } from "../../../src/domain/latest-state.ts";
import { status } from "../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { turn } from "../../support/turn.ts";
import { Watcher } from "../../support/watcher.ts";
import type { Instants } from "./instants.ts";

/** A feed on a broker whose network the test holds, and what other nodes publish there. */
export function feedBench(history: { readonly size?: number } = {}) {
  const node = memoryNode(history);
  const { pubSub, clock, telemetry, elsewhere } = node;
  const channel = someAnalysis();
  const feed = new ChannelFeed(channel, pubSub, clock, telemetry);

  const publish = async (...events: EncodedEvent[]) => {
    await elsewhere.append({ channel, events: events.length > 0 ? events : [status()] });
  };
  const publishMany = (count: number) => publish(...Array.from({ length: count }, () => status()));

  /** A watcher that began with the latest state, as `replay=latest` has it. */
  const watch = () => new Watcher(feed).begin({ replay: latestEvents(feed.latest) });

  /** Lets `steps` steps of calls go on, and events be published and delivered among them, as `instants` says. */
  const race = async (
    steps: number,
    events: readonly EncodedEvent[],
    instants: readonly Instants[],
    known: number,
  ) => {
    pubSub.holdsMail = true;
    for (let step = 0; step <= steps; step++) {
      for (const [index, { publishedBefore }] of instants.entries())
        if (publishedBefore === step) await publish(events[index] as EncodedEvent);
      pubSub.deliver(known + instants.filter(({ deliveredBefore }) => deliveredBefore <= step).length);
      if (step < steps) await pubSub.proceed();
    }
  };

  /** All that is still under way arrives and is answered. */
  const settle = async () => {
    pubSub.holdsCalls = false;
    pubSub.holdsMail = false;
    pubSub.deliver();
    while (pubSub.waiting.length > 0) await pubSub.proceed();
    await turn();
  };

  return { ...node, channel, feed, publish, publishMany, watch, race, settle };
}
