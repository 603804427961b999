import { type AccessPolicy, ClaimsAndViewers } from "../../../src/application/access-policy.ts";
import { DrainConnections } from "../../../src/application/drain-connections.ts";
import { ExpireStaleConnections } from "../../../src/application/expire-stale-connections.ts";
import { DeliveryMeters } from "../../../src/application/fan-out/delivery-meter.ts";
import { FeedRegistry } from "../../../src/application/fan-out/feed-registry.ts";
import { OpenConnections } from "../../../src/application/open-connections.ts";
import { Refusals } from "../../../src/application/refusals.ts";
import { SendHeartbeats } from "../../../src/application/send-heartbeats.ts";
import { SubscribeToAnalysis } from "../../../src/application/subscribe-to-analysis.ts";
import type { EncodedEvent } from "../../../src/domain/analysis-event.ts";
import { type AnalysisChannel, analysisIdOf } from "../../../src/domain/channel.ts";
import { ConnectionRegistry } from "../../../src/domain/connection-registry.ts";
import type { SessionServices } from "../../../src/session/session-services.ts";
import { type WatchIntent, WebSocketSession } from "../../../src/session/web-socket-session.ts";
import { status } from "../../../src/testing/encoded-events.ts";
import { RecordingConnection } from "../../../src/testing/recording-connection.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { KnownTokens } from "../../support/known-tokens.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { turn } from "../../support/turn.ts";

export const INTERVAL = 15_000;
export const TIMEOUT = 30_000;
export const STALL = 60_000;

export interface BenchOptions {
  readonly size?: number;
  readonly maxConnections?: number;
  readonly maxPerUser?: number;
  readonly maxSubscriptionsPerUser?: number;
  readonly messageRate?: number;
  readonly watchDefault?: "allow" | "deny";
  /** In place of the rule of the wire contract. */
  readonly access?: AccessPolicy;
}

/** A session and its wire. The bench closes a socket as a runtime does: the session is told once. */
export interface OpenedSession {
  readonly session: WebSocketSession;
  readonly wire: RecordingConnection;
  /** The peer or the runtime closed the socket. */
  hangUp(): void;
}

/** A gateway without sockets. */
export function sessionBench(options: BenchOptions = {}) {
  const {
    size = 1_000,
    maxConnections = 0,
    maxPerUser = 0,
    maxSubscriptionsPerUser = 0,
    messageRate = 0,
    watchDefault = "allow",
    access = new ClaimsAndViewers(watchDefault),
  } = options;
  const node = memoryNode({ size });
  const { clock, pubSub, telemetry, elsewhere, broker } = node;
  const channel = someAnalysis();
  const analysisId = analysisIdOf(channel);
  const tokens = new KnownTokens(clock);
  const registry = new ConnectionRegistry({ maxConnections, maxPerUser, maxSubscriptionsPerUser });
  const connections = new OpenConnections(registry, clock);
  const feeds = new FeedRegistry(pubSub, clock, telemetry, STALL);
  const heartbeats = new SendHeartbeats(clock, INTERVAL);
  const expire = new ExpireStaleConnections(registry, connections, clock, TIMEOUT);
  const drain = new DrainConnections(connections, clock, () => 0.5);
  const services: SessionServices = {
    tokens,
    access,
    subscribe: new SubscribeToAnalysis(feeds, registry, access),
    connections,
    registry,
    heartbeats,
    clock,
    telemetry,
    deliveries: new DeliveryMeters(),
    refusals: new Refusals(telemetry),
    settings: { heartbeatIntervalMs: INTERVAL, heartbeatTimeoutMs: TIMEOUT, messageRate },
  };

  const publishTo = async (to: AnalysisChannel, ...events: EncodedEvent[]) => {
    await elsewhere.append({ channel: to, events: events.length > 0 ? events : [status()] });
    await turn();
    return (await elsewhere.snapshot(to)).position;
  };
  const publish = (...events: EncodedEvent[]) => publishTo(channel, ...events);

  /** A socket that was just upgraded; its admission has only begun. */
  const upgrade = (token: string, intent: Partial<WatchIntent> = {}): OpenedSession => {
    const wire = new RecordingConnection();
    const asked: WatchIntent = {
      analysisId,
      token: { type: "token", token },
      originAllowed: true,
      replay: { mode: "latest", after: undefined },
      untilTerminal: false,
      markers: false,
      strict: false,
      conflates: true,
      faults: [],
      ...intent,
    };
    const session = new WebSocketSession(wire, asked, services);
    void session.opened();
    return { session, wire, hangUp: () => session.closed() };
  };

  /** A client of `user` that was admitted or refused. */
  const watch = async (user = "alice", intent: Partial<WatchIntent> = {}) => {
    const opened = upgrade(tokens.know(`token of ${user}`, { userId: user }), intent);
    await turn();
    return opened;
  };

  /** A client of `/ws` that was admitted. */
  const open = async (user = "alice", intent: Partial<WatchIntent> = {}) => {
    const opened = await watch(user, { analysisId: null, ...intent });
    return { ...opened, say: (frame: object) => opened.session.received(JSON.stringify(frame)) };
  };

  /** Time passes in sweeps, as in a running gateway. */
  const pass = (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 250) {
      clock.advance(250);
      heartbeats.execute();
      expire.execute();
    }
  };

  /** Every call and message that is under way arrives and is answered. */
  const settle = async () => {
    pubSub.holdsCalls = false;
    pubSub.holdsMail = false;
    while (pubSub.waiting.length > 0) await pubSub.proceed();
    pubSub.deliver();
    await turn();
  };

  /** Everything that this node keeps for clients. */
  const books = () => ({
    ...registry.statistics(),
    open: connections.size,
    feeds: feeds.size,
    subscriptions: pubSub.subscriptions,
    listening: broker.listeningOn().length,
  });

  return {
    ...node,
    channel,
    analysisId,
    tokens,
    services,
    feeds,
    registry,
    connections,
    heartbeats,
    drain,
    publish,
    publishTo,
    upgrade,
    watch,
    open,
    pass,
    settle,
    books,
  };
}

export const NOTHING = {
  total_connections: 0,
  active_analyses: 0,
  users: 0,
  open: 0,
  feeds: 0,
  subscriptions: 0,
  listening: 0,
};
