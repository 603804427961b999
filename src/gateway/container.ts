import "reflect-metadata";
import { Container, type ServiceIdentifier } from "inversify";
import { JoseTokenVerifier } from "../adapters/jwt/jose-token-verifier.ts";
import { SystemClock } from "../adapters/system/system-clock.ts";
import { PinoTelemetry } from "../adapters/telemetry/pino-telemetry.ts";
import { BroadcastEvent } from "../application/broadcast-event.ts";
import { CheckPositions } from "../application/check-positions.ts";
import { DrainConnections } from "../application/drain-connections.ts";
import { ExpireStaleConnections } from "../application/expire-stale-connections.ts";
import { FairQueue } from "../application/fair-queue.ts";
import { FeedRegistry } from "../application/fan-out/feed-registry.ts";
import { IngestBareMessage } from "../application/ingest-bare-message.ts";
import { IngestInboxEntries } from "../application/ingest-inbox-entries.ts";
import { OpenConnections } from "../application/open-connections.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { InboxPort } from "../application/ports/inbox-port.ts";
import type { PubSubPort } from "../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import type { TokenVerifierPort } from "../application/ports/token-verifier-port.ts";
import type { WorkerChannelPort } from "../application/ports/worker-channel-port.ts";
import { ReadAnalysis } from "../application/read-analysis.ts";
import { ReadEvents } from "../application/read-events.ts";
import { notingRefusals, RecentRefusals } from "../application/recent-refusals.ts";
import { SendHeartbeats } from "../application/send-heartbeats.ts";
import { SubscribeToAnalysis } from "../application/subscribe-to-analysis.ts";
import { WatchInbox } from "../application/watch-inbox.ts";
import { ConnectionRegistry } from "../domain/connection-registry.ts";
import type { SessionServices } from "../session/session-services.ts";
import { type Broker, closeBroker, openBroker } from "./brokers.ts";
import type { Config } from "./config/config.ts";
import type { Gateway } from "./gateway.ts";

const T = {
  Config: Symbol("Config") as ServiceIdentifier<Config>,
  Clock: Symbol("Clock") as ServiceIdentifier<ClockPort>,
  Telemetry: Symbol("Telemetry") as ServiceIdentifier<PinoTelemetry>,
  Broker: Symbol("Broker") as ServiceIdentifier<Broker>,
  PubSub: Symbol("PubSub") as ServiceIdentifier<PubSubPort>,
  WorkerChannels: Symbol("WorkerChannels") as ServiceIdentifier<WorkerChannelPort>,
  Inbox: Symbol("Inbox") as ServiceIdentifier<InboxPort>,
  Tokens: Symbol("Tokens") as ServiceIdentifier<TokenVerifierPort>,
  Registry: Symbol("Registry") as ServiceIdentifier<ConnectionRegistry>,
  Connections: Symbol("Connections") as ServiceIdentifier<OpenConnections>,
  FeedRegistry: Symbol("FeedRegistry") as ServiceIdentifier<FeedRegistry>,
  Heartbeats: Symbol("Heartbeats") as ServiceIdentifier<SendHeartbeats>,
  Expire: Symbol("Expire") as ServiceIdentifier<ExpireStaleConnections>,
  Drain: Symbol("Drain") as ServiceIdentifier<DrainConnections>,
  Subscribe: Symbol("Subscribe") as ServiceIdentifier<SubscribeToAnalysis>,
  Broadcast: Symbol("Broadcast") as ServiceIdentifier<BroadcastEvent>,
  Reads: Symbol("Reads") as ServiceIdentifier<FairQueue>,
  Read: Symbol("Read") as ServiceIdentifier<ReadAnalysis>,
  ReadEvents: Symbol("ReadEvents") as ServiceIdentifier<ReadEvents>,
  Ingest: Symbol("Ingest") as ServiceIdentifier<IngestBareMessage>,
  IngestInbox: Symbol("IngestInbox") as ServiceIdentifier<IngestInboxEntries>,
  Refusals: Symbol("Refusals") as ServiceIdentifier<RecentRefusals>,
  WatchInbox: Symbol("WatchInbox") as ServiceIdentifier<WatchInbox>,
  CheckPositions: Symbol("CheckPositions") as ServiceIdentifier<CheckPositions>,
  Sessions: Symbol("Sessions") as ServiceIdentifier<SessionServices>,
};

/** Builds every object of the gateway. Nothing listens and nothing is connected before the first use. */
export function createGateway(config: Config): Gateway {
  const container = new Container({ defaultScope: "Singleton" });
  container.bind(T.Config).toConstantValue(config);
  container.bind(T.Clock).toResolvedValue(() => new SystemClock());
  container
    .bind(T.Telemetry)
    .toResolvedValue((clock: ClockPort) => new PinoTelemetry(config.logLevel, clock), [T.Clock])
    .onDeactivation((telemetry) => telemetry.flush());
  bindBroker(container, config);
  bindCore(container, config);
  return {
    config,
    clock: container.get(T.Clock),
    telemetry: container.get(T.Telemetry),
    pubSub: container.get(T.PubSub),
    workers: container.get(T.WorkerChannels),
    tokens: container.get(T.Tokens),
    registry: container.get(T.Registry),
    heartbeats: container.get(T.Heartbeats),
    expire: container.get(T.Expire),
    drain: container.get(T.Drain),
    broadcast: container.get(T.Broadcast),
    read: container.get(T.Read),
    readEvents: container.get(T.ReadEvents),
    ingest: container.get(T.Ingest),
    ingestInbox: container.get(T.IngestInbox),
    inbox: container.get(T.WatchInbox),
    checkPositions: container.get(T.CheckPositions),
    refusals: container.get(T.Refusals),
    sessions: container.get(T.Sessions),
    close: () => container.unbindAllAsync(),
  };
}

function bindBroker(container: Container, config: Config): void {
  container.bind(T.Refusals).toResolvedValue(() => new RecentRefusals());
  container
    .bind(T.Broker)
    .toResolvedValue(
      (clock: ClockPort, telemetry: TelemetryPort, refusals: RecentRefusals) => {
        const broker = openBroker(config, clock, telemetry);
        return config.demo ? { ...broker, workers: notingRefusals(broker.workers, refusals) } : broker;
      },
      [T.Clock, T.Telemetry, T.Refusals],
    )
    .onDeactivation(closeBroker);
  container.bind(T.PubSub).toResolvedValue(({ pubSub }: Broker) => pubSub, [T.Broker]);
  container.bind(T.WorkerChannels).toResolvedValue(({ workers }: Broker) => workers, [T.Broker]);
  container.bind(T.Inbox).toResolvedValue(({ inbox }: Broker) => inbox, [T.Broker]);
}

function bindCore(container: Container, config: Config): void {
  const { heartbeatIntervalMs, heartbeatTimeoutMs, messageRate, maxConnections } = config;
  const { maxConnectionsPerUser: maxPerUser, maxSubscriptionsPerUser } = config;
  const limits = { maxConnections, maxPerUser, maxSubscriptionsPerUser };
  container
    .bind(T.Tokens)
    .toResolvedValue((clock: ClockPort) => new JoseTokenVerifier(config.jwt.secret, clock), [T.Clock]);
  container.bind(T.Registry).toResolvedValue(() => new ConnectionRegistry(limits));
  container
    .bind(T.Connections)
    .toResolvedValue(
      (registry: ConnectionRegistry, clock: ClockPort) => new OpenConnections(registry, clock),
      [T.Registry, T.Clock],
    );
  container
    .bind(T.FeedRegistry)
    .toResolvedValue(
      (pubSub: PubSubPort, clock: ClockPort, telemetry: TelemetryPort) =>
        new FeedRegistry(pubSub, clock, telemetry),
      [T.PubSub, T.Clock, T.Telemetry],
    );
  container
    .bind(T.Heartbeats)
    .toResolvedValue((clock: ClockPort) => new SendHeartbeats(clock, heartbeatIntervalMs), [T.Clock]);
  container
    .bind(T.Expire)
    .toResolvedValue(
      (registry: ConnectionRegistry, connections: OpenConnections, clock: ClockPort) =>
        new ExpireStaleConnections(registry, connections, clock, heartbeatTimeoutMs),
      [T.Registry, T.Connections, T.Clock],
    );
  container
    .bind(T.Drain)
    .toResolvedValue(
      (connections: OpenConnections, clock: ClockPort) =>
        new DrainConnections(connections, clock, config.drainMs, Math.random),
      [T.Connections, T.Clock],
    );
  container
    .bind(T.Subscribe)
    .toResolvedValue(
      (feeds: FeedRegistry, registry: ConnectionRegistry) =>
        new SubscribeToAnalysis(feeds, registry, config.watchDefault),
      [T.FeedRegistry, T.Registry],
    );
  container
    .bind(T.CheckPositions)
    .toResolvedValue(
      (feeds: FeedRegistry, pubSub: PubSubPort, telemetry: TelemetryPort) =>
        new CheckPositions(feeds, pubSub, telemetry),
      [T.FeedRegistry, T.PubSub, T.Telemetry],
    );
  container
    .bind(T.Broadcast)
    .toResolvedValue(
      (pubSub: PubSubPort, clock: ClockPort, telemetry: TelemetryPort) =>
        new BroadcastEvent(pubSub, clock, telemetry),
      [T.PubSub, T.Clock, T.Telemetry],
    );
  container.bind(T.Reads).toResolvedValue((clock: ClockPort) => new FairQueue(clock), [T.Clock]);
  container
    .bind(T.Read)
    .toResolvedValue(
      (pubSub: PubSubPort, reads: FairQueue) =>
        new ReadAnalysis(pubSub, reads, config.watchDefault, config.stallAfterMs),
      [T.PubSub, T.Reads],
    );
  container
    .bind(T.ReadEvents)
    .toResolvedValue(
      (pubSub: PubSubPort, reads: FairQueue, feeds: FeedRegistry, clock: ClockPort) =>
        new ReadEvents(pubSub, reads, feeds, clock, config.watchDefault),
      [T.PubSub, T.Reads, T.FeedRegistry, T.Clock],
    );
  container
    .bind(T.Ingest)
    .toResolvedValue(
      (pubSub: PubSubPort, workers: WorkerChannelPort, clock: ClockPort, telemetry: TelemetryPort) =>
        new IngestBareMessage(pubSub, workers, clock, telemetry),
      [T.PubSub, T.WorkerChannels, T.Clock, T.Telemetry],
    );
  container
    .bind(T.IngestInbox)
    .toResolvedValue(
      (inbox: InboxPort, { pubSub, workers }: Broker, clock: ClockPort, telemetry: TelemetryPort) =>
        new IngestInboxEntries(inbox, pubSub, workers, clock, telemetry),
      [T.Inbox, T.Broker, T.Clock, T.Telemetry],
    );
  container
    .bind(T.WatchInbox)
    .toResolvedValue(
      (inbox: InboxPort, clock: ClockPort) => new WatchInbox(inbox, clock),
      [T.Inbox, T.Clock],
    );
  const settings = { heartbeatIntervalMs, heartbeatTimeoutMs, messageRate };
  container.bind(T.Sessions).toResolvedValue(
    (
      tokens: TokenVerifierPort,
      subscribe: SubscribeToAnalysis,
      connections: OpenConnections,
      registry: ConnectionRegistry,
      heartbeats: SendHeartbeats,
      clock: ClockPort,
      telemetry: TelemetryPort,
    ): SessionServices => ({
      tokens,
      subscribe,
      connections,
      registry,
      heartbeats,
      clock,
      telemetry,
      settings,
    }),
    [T.Tokens, T.Subscribe, T.Connections, T.Registry, T.Heartbeats, T.Clock, T.Telemetry],
  );
}
