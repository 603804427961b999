import { ClaimsAndViewers } from "../../../src/application/access-policy.ts";
import { ConnectionWriter } from "../../../src/application/fan-out/connection-writer.ts";
import { DeliveryMeter } from "../../../src/application/fan-out/delivery-meter.ts";
import { FeedRegistry } from "../../../src/application/fan-out/feed-registry.ts";
import type { ReplayRequest } from "../../../src/application/fan-out/replay.ts";
import { SubscribeToAnalysis } from "../../../src/application/subscribe-to-analysis.ts";
import type { AccessGrant } from "../../../src/domain/access-grant.ts";
import type { EncodedEvent } from "../../../src/domain/analysis-event.ts";
import { analysisIdOf } from "../../../src/domain/channel.ts";
import { ConnectionRegistry } from "../../../src/domain/connection-registry.ts";
import { status } from "../../../src/testing/encoded-events.ts";
import { RecordingConnection } from "../../../src/testing/recording-connection.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { RecordingOwner } from "../../support/recording-owner.ts";
import { someGrant } from "../../support/some-grant.ts";
import { turn } from "../../support/turn.ts";

export interface JoinOptions {
  readonly userId?: string;
  readonly grant?: AccessGrant;
  readonly replay?: Partial<ReplayRequest>;
  readonly untilTerminal?: boolean;
}

/** One node with everything from its broker to the sockets, whose network the test holds. */
export function watchBench({
  size = 1_000,
  watchDefault = "allow",
}: {
  readonly size?: number;
  readonly watchDefault?: "allow" | "deny";
} = {}) {
  const node = memoryNode({ size });
  const { pubSub, clock, telemetry, elsewhere, broker } = node;
  const channel = someAnalysis();
  const registry = new ConnectionRegistry({ maxConnections: 0, maxPerUser: 0, maxSubscriptionsPerUser: 0 });
  const feeds = new FeedRegistry(pubSub, clock, telemetry);
  const access = new ClaimsAndViewers(watchDefault);
  const subscribe = new SubscribeToAnalysis(feeds, registry, access);

  const publish = async (...events: EncodedEvent[]) => {
    await elsewhere.append({ channel, events: events.length > 0 ? events : [status()] });
    return (await elsewhere.snapshot(channel)).position;
  };

  /** A client that asks to watch; it begins as soon as it may. */
  const join = async ({ userId = "alice", grant, replay, untilTerminal = false }: JoinOptions = {}) => {
    const wire = new RecordingConnection();
    const writer = new ConnectionWriter(wire, clock, new DeliveryMeter());
    const owner = new RecordingOwner(writer);
    registry.add({ id: wire.id, userId, connectedAt: clock.now() });
    const notices = subscribe.notices({ userId, writer, owner });
    const joining = subscribe.execute({
      analysisId: analysisIdOf(channel),
      grant: grant ?? someGrant({ userId }),
      writer,
      owner,
      replay: { mode: "latest", after: undefined, ...replay },
      untilTerminal,
      conflates: true,
    });
    const [joined, noticed] = await Promise.allSettled([joining, notices.open()]);
    const watch =
      joined.status === "fulfilled" && joined.value.type === "watching" ? joined.value.watch : undefined;
    const leave = () => {
      watch?.end();
      notices.end();
    };
    if (joined.status === "rejected" || noticed.status === "rejected" || watch === undefined) leave();
    for (const one of [joined, noticed]) if (one.status === "rejected") throw one.reason;
    const answer = await joining;
    if (watch === undefined) return { answer, wire, owner, writer };
    const { resumed } = watch;
    notices.begin();
    watch.begin();
    return { answer, wire, owner, writer, watch: { end: leave }, resumed };
  };

  const settle = async () => {
    pubSub.holdsCalls = false;
    pubSub.holdsMail = false;
    pubSub.deliver();
    while (pubSub.waiting.length > 0) await pubSub.proceed();
    await turn();
  };

  /** All that this node still holds for anybody. */
  const held = () => ({
    feeds: feeds.size,
    subscriptions: pubSub.subscriptions,
    listening: broker.listeningOn().length,
    watched: registry.statistics().active_analyses,
  });

  return { ...node, channel, registry, feeds, subscribe, publish, join, settle, held };
}

export const NOTHING_HELD = { feeds: 0, subscriptions: 0, listening: 0, watched: 0 };
