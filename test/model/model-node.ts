import type { SessionServices } from "../../src/adapters/session-services.ts";
import { WatchSession } from "../../src/adapters/websocket/watch-session.ts";
import { AdoptInboxEntries } from "../../src/application/adopt-inbox-entries.ts";
import { AdoptPublishedEvent } from "../../src/application/adopt-published-event.ts";
import { BroadcastEvent } from "../../src/application/broadcast-event.ts";
import { CHECK_POSITIONS_MS, CheckPositions } from "../../src/application/check-positions.ts";
import { DrainConnections } from "../../src/application/drain-connections.ts";
import { ExpireStaleConnections } from "../../src/application/expire-stale-connections.ts";
import { Feeds } from "../../src/application/fan-out/feeds.ts";
import { OpenConnections } from "../../src/application/open-connections.ts";
import type { ClientConnectionPort } from "../../src/application/ports/client-connection-port.ts";
import type { BareMessage, WorkerChannelPort } from "../../src/application/ports/worker-channel-port.ts";
import { ReadAnalysis } from "../../src/application/read-analysis.ts";
import { SendHeartbeats } from "../../src/application/send-heartbeats.ts";
import { SubscribeToAnalysis } from "../../src/application/subscribe-to-analysis.ts";
import { analysisIdOf } from "../../src/domain/channel.ts";
import { ConnectionRegistry } from "../../src/domain/connection-registry.ts";
import { CollectingTelemetry } from "../support/collecting-telemetry.ts";
import { KnownTokens } from "../support/known-tokens.ts";
import type { Asked } from "./model-client.ts";
import { ModelInbox } from "./model-inbox.ts";
import { ModelPubSub } from "./model-pub-sub.ts";
import type { ModelServer } from "./model-server.ts";
import type { ModelTime, ProcessClock } from "./model-time.ts";

const HEARTBEAT_INTERVAL_MS = 15_000;
const HEARTBEAT_TIMEOUT_MS = 30_000;
const SWEEP_MS = 1_000;
const NEVER_STALLED_MS = 86_400_000;

export interface NodeOptions {
  readonly time: ModelTime;
  readonly server: ModelServer;
  readonly watchDefault: "allow" | "deny";
  /** Whether others listened before it. */
  readonly newcomer: boolean;
}

/** One gateway without its sockets and its broker: everything between them is the product itself. */
export class ModelNode {
  readonly clock: ProcessClock;
  readonly pubSub: ModelPubSub;
  readonly telemetry = new CollectingTelemetry();
  readonly registry = new ConnectionRegistry({
    maxConnections: 0,
    maxPerUser: 0,
    maxSubscriptionsPerUser: 0,
  });
  readonly connections: OpenConnections;
  readonly feeds: Feeds;
  readonly broadcast: BroadcastEvent;
  readonly read: ReadAnalysis;
  readonly adopt: AdoptPublishedEvent;
  readonly inbox: AdoptInboxEntries;
  readonly drain: DrainConnections;
  /** Messages of workers that were heard, as the broker sent them, and have not arrived yet. */
  readonly ears: BareMessage[] = [];
  readonly standingTimers: number;
  readonly #services: SessionServices;
  readonly #time: ModelTime;
  readonly #backlog: (() => void)[] = [];
  #state: "running" | "frozen" | "gone" = "running";

  constructor({ time, server, watchDefault, newcomer }: NodeOptions) {
    this.#time = time;
    const clock = time.clock();
    this.clock = clock;
    const { telemetry, registry } = this;
    const pubSub = new ModelPubSub(server);
    this.pubSub = pubSub;
    this.connections = new OpenConnections(registry, clock);
    this.feeds = new Feeds(pubSub, clock, telemetry);
    this.broadcast = new BroadcastEvent(pubSub, clock, telemetry);
    this.read = new ReadAnalysis(pubSub, watchDefault, NEVER_STALLED_MS);
    this.adopt = new AdoptPublishedEvent(pubSub, workersOn(pubSub, clock, newcomer), clock, telemetry);
    const workers = workersOn(pubSub, clock, newcomer);
    this.inbox = new AdoptInboxEntries(new ModelInbox(pubSub, clock), pubSub, workers, clock, telemetry);
    this.drain = new DrainConnections(this.connections, clock, 10_000, () => 0.5);
    const heartbeats = new SendHeartbeats(clock, HEARTBEAT_INTERVAL_MS);
    const expire = new ExpireStaleConnections(registry, this.connections, clock, HEARTBEAT_TIMEOUT_MS);
    clock.every(SWEEP_MS, () => {
      heartbeats.execute();
      expire.execute();
    });
    const check = new CheckPositions(this.feeds, pubSub, telemetry);
    clock.every(CHECK_POSITIONS_MS, () => void check.execute());
    this.standingTimers = clock.timers;
    this.inbox.start();
    this.#services = {
      tokens: new KnownTokens(clock),
      subscribe: new SubscribeToAnalysis(this.feeds, registry, watchDefault),
      connections: this.connections,
      registry,
      heartbeats,
      clock,
      telemetry,
      settings: {
        heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
        heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
        messageRate: 0,
      },
    };
  }

  get state(): "running" | "frozen" | "gone" {
    return this.#state;
  }

  /** A client whose socket was just upgraded. */
  upgrade(wire: ClientConnectionPort, asked: Asked): WatchSession {
    const token = (this.#services.tokens as KnownTokens).know(asked.user, { userId: asked.user });
    const { channel, mode, after, untilTerminal, conflates, many } = asked;
    const intent = {
      analysisId: many ? null : analysisIdOf(channel),
      token: { type: "token", token },
      originAllowed: true,
      replay: many ? ({ mode: "latest", after: undefined } as const) : { mode, after },
      untilTerminal,
      conflates,
      faults: [],
    } as const;
    return new WatchSession(wire, intent, this.#services);
  }

  /** Something that happens to this process: now, when it thaws, or never. */
  run(task: () => void): void {
    if (this.#state === "running") task();
    else if (this.#state === "frozen") this.#backlog.push(task);
  }

  freeze(): void {
    if (this.#state !== "running") return;
    this.#state = "frozen";
    this.clock.frozen = true;
    this.pubSub.frozen = true;
  }

  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "running";
    this.clock.frozen = false;
    this.pubSub.frozen = false;
    for (const task of this.#backlog.splice(0)) task();
    this.pubSub.kick();
  }

  /** The process ends; what it held at the broker goes with its connections. */
  end(): void {
    this.#state = "gone";
    this.#time.forget(this.clock);
    void this.pubSub.close();
  }

  /** The oldest message of a worker that waits arrives. */
  hearOne(): BareMessage | undefined {
    const message = this.ears.shift();
    if (message !== undefined) this.adopt.execute(message);
    return message;
  }
}

function workersOn(pubSub: ModelPubSub, clock: ProcessClock, newcomer: boolean): WorkerChannelPort {
  const since = clock.now();
  return {
    listen: async () => {},
    stopListening: async () => {},
    listening: () => ({ since, newcomer, others: true }),
    away: undefined,
    keepDeadLetter: (letter) => pubSub.command((server) => server.keepDeadLetter(letter)),
    close: async () => {},
  };
}
