import "reflect-metadata";
import { Container } from "inversify";
import type { AccessPolicy } from "../application/access-policy.ts";
import { BroadcastEvent } from "../application/broadcast-event.ts";
import { CancelAnalysis } from "../application/cancel-analysis.ts";
import { CheckPositions } from "../application/check-positions.ts";
import { DeclareViewers } from "../application/declare-viewers.ts";
import { DrainConnections } from "../application/drain-connections.ts";
import { EndAbandoned } from "../application/end-abandoned.ts";
import { ExpireStaleConnections } from "../application/expire-stale-connections.ts";
import { FairQueue } from "../application/fair-queue.ts";
import { DeliveryMeters } from "../application/fan-out/delivery-meter.ts";
import { FeedRegistry } from "../application/fan-out/feed-registry.ts";
import { IngestBareMessage } from "../application/ingest-bare-message.ts";
import { IngestInboxEntries } from "../application/ingest-inbox-entries.ts";
import { OpenConnections } from "../application/open-connections.ts";
import { type BrokerPorts, closeBroker } from "../application/ports/broker-ports.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { TelemetryPort } from "../application/ports/telemetry-port.ts";
import type { TokenVerifierPort } from "../application/ports/token-verifier-port.ts";
import { ReadAnalysis } from "../application/read-analysis.ts";
import { ReadEvents } from "../application/read-events.ts";
import { Refusals } from "../application/refusals.ts";
import { SendHeartbeats } from "../application/send-heartbeats.ts";
import { SubscribeToAnalysis } from "../application/subscribe-to-analysis.ts";
import { WatchInbox } from "../application/watch-inbox.ts";
import { WatchRequestLimit } from "../application/watch-request-limit.ts";
import { ConnectionRegistry } from "../domain/connection-registry.ts";
import { eventRules } from "../domain/event-rules.ts";
import type { SessionServices } from "../session/session-services.ts";
import type { Config } from "./config/config.ts";

/** Every part of a gateway by its name, as `createGateway` adds them. */
export type Gateway = ReturnType<typeof createGateway>;

/** The parts of a gateway that whoever starts it chooses. */
export interface GivenParts {
  readonly settings: GatewaySettings;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly tokens: TokenVerifierPort;
  readonly access: AccessPolicy;
  /** The gateway closes it. */
  readonly broker: BrokerPorts;
}

/** The settings of everything but the server, the broker and the demo. */
export type GatewaySettings = Pick<
  Config,
  | "heartbeatIntervalMs"
  | "heartbeatTimeoutMs"
  | "messageRate"
  | "maxConnections"
  | "maxConnectionsPerUser"
  | "maxSubscriptionsPerUser"
  | "stages"
  | "stallAfterMs"
  | "abandonAfterMs"
  | "drainMs"
>;

/**
 * Builds every part of the gateway. Nothing listens, and nothing of Telltale's is connected before the first use.
 *
 * A part is added at one place: its name, what it is made of, and how it ends if it has an end. A part is made of parts
 * that were added before it. To replace an adapter or a policy, give another one.
 */
export function createGateway(given: GivenParts) {
  const { heartbeatIntervalMs, heartbeatTimeoutMs, messageRate, ...settings } = given.settings;
  return (
    new Assembly<object>()
      .add("settings", () => given.settings)
      .add("clock", () => given.clock)
      .add("telemetry", () => given.telemetry)
      .add("tokens", () => given.tokens)
      .add("access", () => given.access)

      .add("rules", () => eventRules(settings.stages))

      // The ports of the broker.
      .add("broker", () => given.broker, closeBroker)
      .add("abandoned", ({ broker, clock, telemetry }) => {
        const { events: pubSub, running } = broker;
        const { abandonAfterMs } = settings;
        if (abandonAfterMs === 0 || running === undefined) return undefined;
        return new EndAbandoned({ pubSub, running, clock, telemetry, abandonAfterMs });
      })
      .add("pubSub", ({ broker, abandoned }) => abandoned?.noting ?? broker.events)
      .add("requestLimit", ({ pubSub, telemetry }) => new WatchRequestLimit(pubSub, telemetry))
      .add("deadLetters", ({ broker }) => broker.deadLetters)
      .add("workers", ({ broker }) => broker.workerChannels)

      // Connections and what they watch.
      .add(
        "registry",
        () =>
          new ConnectionRegistry({
            maxConnections: settings.maxConnections,
            maxPerUser: settings.maxConnectionsPerUser,
            maxSubscriptionsPerUser: settings.maxSubscriptionsPerUser,
          }),
      )
      .add("connections", ({ registry, clock }) => new OpenConnections(registry, clock))
      .add(
        "feeds",
        ({ pubSub, clock, telemetry }) => new FeedRegistry(pubSub, clock, telemetry, settings.stallAfterMs),
      )
      .add("deliveries", () => new DeliveryMeters())
      .add("refusals", ({ telemetry }) => new Refusals(telemetry))
      .add("reads", ({ clock }) => new FairQueue(clock))

      // The use cases.
      .add("heartbeats", ({ clock }) => new SendHeartbeats(clock, heartbeatIntervalMs))
      .add(
        "expire",
        ({ registry, connections, clock }) =>
          new ExpireStaleConnections(registry, connections, clock, heartbeatTimeoutMs),
      )
      .add("drain", ({ connections, clock }) => new DrainConnections(connections, clock, Math.random))
      .add("subscribe", ({ feeds, registry, access }) => new SubscribeToAnalysis(feeds, registry, access))
      .add("checkPositions", ({ feeds, pubSub, telemetry }) => new CheckPositions(feeds, pubSub, telemetry))
      .add("declareViewers", ({ pubSub }) => new DeclareViewers(pubSub))
      .add("cancel", ({ pubSub, access, clock }) => new CancelAnalysis(pubSub, access, clock))
      .add(
        "broadcast",
        ({ pubSub, clock, telemetry, rules }) => new BroadcastEvent(pubSub, clock, telemetry, rules),
      )
      .add(
        "read",
        ({ pubSub, reads, access }) => new ReadAnalysis(pubSub, reads, access, settings.stallAfterMs),
      )
      .add(
        "readEvents",
        ({ pubSub, reads, feeds, clock, access }) => new ReadEvents(pubSub, reads, feeds, clock, access),
      )
      .add(
        "ingest",
        ({ pubSub, workers, deadLetters, clock, telemetry, rules }) =>
          workers && new IngestBareMessage(pubSub, workers, deadLetters, clock, telemetry, rules),
      )
      .add(
        "ingestInbox",
        ({ broker: { inbox }, pubSub, deadLetters, clock, telemetry, rules }) =>
          inbox && new IngestInboxEntries(inbox, pubSub, deadLetters, clock, telemetry, rules),
      )
      .add("inbox", ({ broker, clock }) => new WatchInbox(broker.inbox, clock))

      .add(
        "sessions",
        ({
          tokens,
          access,
          subscribe,
          connections,
          registry,
          heartbeats,
          deliveries,
          refusals,
          clock,
          telemetry,
        }): SessionServices => ({
          tokens,
          access,
          subscribe,
          connections,
          registry,
          heartbeats,
          deliveries,
          refusals,
          clock,
          telemetry,
          settings: { heartbeatIntervalMs, heartbeatTimeoutMs, messageRate },
        }),
      )
      .assembled()
  );
}

/** Parts that are made once, at their first use, by inversify. `Parts` has the type of each part added so far. */
class Assembly<Parts extends object> {
  readonly #container = new Container({ defaultScope: "Singleton" });
  readonly #parts = {} as Parts;

  /** Adds a part. `end` is called with it when the gateway closes, if it was made at all. */
  add<Name extends string, Part>(
    name: Name,
    make: (parts: Parts) => Part,
    end?: (part: Part) => void | Promise<void>,
  ): Assembly<Parts & Readonly<Record<Name, Part>>> {
    const binding = this.#container.bind<Part>(name).toDynamicValue(() => make(this.#parts));
    if (end !== undefined) binding.onDeactivation(end);
    Object.defineProperty(this.#parts, name, {
      get: () => this.#container.get<Part>(name),
      enumerable: true,
    });
    return this as unknown as Assembly<Parts & Readonly<Record<Name, Part>>>;
  }

  /** Makes every part. `close` ends those that have an end. */
  assembled(): Parts & { readonly close: () => Promise<void> } {
    return { ...this.#parts, close: () => this.#container.unbindAllAsync() };
  }
}
