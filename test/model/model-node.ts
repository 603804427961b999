import { MarkedCounter } from "../../src/adapters/redis/marked-counter.ts";
import { ClaimsAndViewers } from "../../src/application/access-policy.ts";
import { BroadcastEvent } from "../../src/application/broadcast-event.ts";
import { CHECK_POSITIONS_MS, CheckPositions } from "../../src/application/check-positions.ts";
import { DrainConnections } from "../../src/application/drain-connections.ts";
import { ExpireStaleConnections } from "../../src/application/expire-stale-connections.ts";
import { FairQueue } from "../../src/application/fair-queue.ts";
import { DeliveryMeters } from "../../src/application/fan-out/delivery-meter.ts";
import { FeedRegistry } from "../../src/application/fan-out/feed-registry.ts";
import { IngestBareMessage } from "../../src/application/ingest-bare-message.ts";
import { IngestInboxEntries } from "../../src/application/ingest-inbox-entries.ts";
import { OpenConnections } from "../../src/application/open-connections.ts";
import type { ClientConnectionPort } from "../../src/application/ports/client-connection-port.ts";
import type { DeadLetterPort } from "../../src/application/ports/dead-letter-port.ts";
import type { Listening } from "../../src/application/ports/worker-channel-port.ts";
import { ReadAnalysis } from "../../src/application/read-analysis.ts";
import { Refusals } from "../../src/application/refusals.ts";
import { SendHeartbeats } from "../../src/application/send-heartbeats.ts";
import { SubscribeToAnalysis } from "../../src/application/subscribe-to-analysis.ts";
import { analysisIdOf } from "../../src/domain/channel.ts";
import { ConnectionRegistry } from "../../src/domain/connection-registry.ts";
import { isShared } from "../../src/domain/occurrence.ts";
import type { SessionServices } from "../../src/session/session-services.ts";
import { WebSocketSession } from "../../src/session/web-socket-session.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { KnownTokens } from "../support/known-tokens.ts";
import type { Publication } from "./model-bare.ts";
import type { Asked } from "./model-client.ts";
import { ModelInbox } from "./model-inbox.ts";
import { ModelPubSub } from "./model-pub-sub.ts";
import type { ModelServer } from "./model-server.ts";
import type { ModelTime, ProcessClock } from "./model-time.ts";

const HEARTBEAT_INTERVAL_MS = 15_000;
const HEARTBEAT_TIMEOUT_MS = 30_000;
const SWEEP_MS = 1_000;
const NEVER_STALLED_MS = 86_400_000;

let made = 0;

export interface NodeOptions {
  readonly time: ModelTime;
  readonly server: ModelServer;
  readonly watchDefault: "allow" | "deny";
  /** Whether others listened before it. */
  readonly newcomer: boolean;
  /** Carries a mark to every node that listens on this broker. */
  readonly mark: (server: ModelServer, name: string) => void;
}

/** A message of the broker to a node that listens to workers. */
export type Sound =
  | { readonly type: "message"; readonly publication: Publication; readonly at: number }
  | { readonly type: "mark"; readonly text: string };

/** One gateway without sockets and broker. Everything between them is the product itself. */
export class ModelNode {
  readonly id = ++made;
  readonly clock: ProcessClock;
  readonly pubSub: ModelPubSub;
  readonly telemetry = new CollectingTelemetry();
  readonly registry = new ConnectionRegistry({
    maxConnections: 0,
    maxPerUser: 0,
    maxSubscriptionsPerUser: 0,
  });
  readonly connections: OpenConnections;
  readonly feeds: FeedRegistry;
  readonly broadcast: BroadcastEvent;
  readonly read: ReadAnalysis;
  readonly ingest: IngestBareMessage;
  readonly inbox: IngestInboxEntries;
  readonly drain: DrainConnections;
  /** Messages of workers that were heard, as the broker sent them, and have not arrived yet. */
  readonly ears: Sound[] = [];
  readonly permanentTimers: number;
  readonly #services: SessionServices;
  readonly #counter: MarkedCounter;
  /** The number of connections that it listened on so far. */
  #spell = 0;
  #listening: Listening | undefined;
  #heard = 0;
  readonly #time: ModelTime;
  readonly #backlog: (() => void)[] = [];
  #state: "running" | "frozen" | "gone" = "running";

  constructor({ time, server, watchDefault, newcomer, mark }: NodeOptions) {
    this.#time = time;
    const clock = time.clock();
    this.clock = clock;
    const { telemetry, registry } = this;
    const pubSub = new ModelPubSub(server);
    const access = new ClaimsAndViewers(watchDefault);
    this.pubSub = pubSub;
    this.connections = new OpenConnections(registry, clock);
    this.feeds = new FeedRegistry(pubSub, clock, telemetry);
    this.broadcast = new BroadcastEvent(pubSub, clock, telemetry);
    this.read = new ReadAnalysis(pubSub, new FairQueue(clock), access, NEVER_STALLED_MS);
    const deadLetters: Pick<DeadLetterPort, "keep"> = {
      keep: (deadLetter) => pubSub.command((server) => server.keepDeadLetter(deadLetter)),
    };
    this.ingest = new IngestBareMessage(
      pubSub,
      { listening: () => this.#listening },
      deadLetters,
      clock,
      telemetry,
    );
    this.inbox = new IngestInboxEntries(new ModelInbox(pubSub, clock), pubSub, deadLetters, clock, telemetry);
    this.#counter = new MarkedCounter({
      clock,
      telemetry,
      publish: (name) => pubSub.command((at) => mark(at, name)),
    });
    this.listen(newcomer);
    this.drain = new DrainConnections(this.connections, clock, () => 0.5);
    const heartbeats = new SendHeartbeats(clock, HEARTBEAT_INTERVAL_MS);
    const expire = new ExpireStaleConnections(registry, this.connections, clock, HEARTBEAT_TIMEOUT_MS);
    clock.every(SWEEP_MS, () => {
      heartbeats.execute();
      expire.execute();
    });
    const check = new CheckPositions(this.feeds, pubSub, telemetry);
    clock.every(CHECK_POSITIONS_MS, () => void check.execute());
    this.permanentTimers = clock.timers;
    this.inbox.start();
    this.#services = {
      tokens: new KnownTokens(clock),
      access,
      subscribe: new SubscribeToAnalysis(this.feeds, registry, access),
      connections: this.connections,
      registry,
      heartbeats,
      clock,
      telemetry,
      deliveries: new DeliveryMeters(),
      refusals: new Refusals(telemetry),
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
  upgrade(wire: ClientConnectionPort, asked: Asked): WebSocketSession {
    const token = (this.#services.tokens as KnownTokens).know(asked.user, { userId: asked.user });
    const { channel, mode, after, untilTerminal, conflates, many } = asked;
    const intent = {
      analysisId: many ? null : analysisIdOf(channel),
      token: { type: "token", token },
      originAllowed: true,
      replay: many ? ({ mode: "latest", after: undefined } as const) : { mode, after },
      untilTerminal,
      conflates,
      markers: false,
      strict: false,
      faults: [],
    } as const;
    return new WebSocketSession(wire, intent, this.#services);
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

  /** The process ends, and its subscriptions at the broker end with its connections. */
  end(): void {
    this.#state = "gone";
    this.#time.forget(this.clock);
    void this.pubSub.close();
  }

  /** It listens to workers, on a connection that was just made. */
  listen(newcomer: boolean): void {
    this.#spell++;
    this.#listening = { since: this.clock.now(), newcomer, others: true };
    this.#counter.connected();
    this.#counter.listens();
  }

  get listens(): boolean {
    return this.#listening !== undefined;
  }

  /** The connection is lost, with all that was sent over it and not read. */
  loseHearing(): void {
    this.#listening = undefined;
    this.#counter.lost();
    this.ears.length = 0;
  }

  /** The oldest message that is under way arrives. */
  hearOne(): void {
    const sound = this.ears.shift();
    if (sound === undefined) return;
    if (sound.type === "mark") this.#counter.heardProbe(sound.text);
    else {
      const { channel, payload, heardBy } = sound.publication;
      // The last probe that was heard before it is up to some seconds older than it.
      const lateMs = this.clock.now() - sound.at + (this.#heard++ % 3) * 1_000;
      const occurrence = this.#counter.heard(channel, new TextEncoder().encode(payload), lateMs);
      heardBy.push({ node: this, spell: this.#spell, shared: isShared(occurrence) });
      this.ingest.execute({ channel, payload, occurrence, lateMs });
    }
  }
}
