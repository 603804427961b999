import type { PublishedEvent, PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import type { ChannelName } from "../../src/domain/channel.ts";

/** All that is kept of a channel, page by page. */
export async function wholeHistory(pubSub: PubSubPort, channel: ChannelName): Promise<PublishedEvent[]> {
  const events: PublishedEvent[] = [];
  for (;;) {
    const page = await pubSub.history(channel, events.at(-1)?.position, 1_000);
    if (!page.resumed) throw new Error("the history moved while it was read");
    events.push(...page.events);
    if (!page.more) return events;
  }
}
