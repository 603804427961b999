import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type {
  BareMessage,
  Listening,
  WorkerChannelPort,
} from "../../application/ports/worker-channel-port.ts";
import { OutageLog } from "../broker/outage-log.ts";
import { MarkedCounter } from "./marked-counter.ts";
import { type ListenedKinds, PlainChannels } from "./plain-channels.ts";
import { RedisCommands } from "./redis-commands.ts";
import type { RedisTarget } from "./redis-connection.ts";
import { RedisLinks } from "./redis-links.ts";
import { SubscriptionLink } from "./subscription-link.ts";

export interface RedisWorkerChannelsOptions {
  readonly target: RedisTarget;
  /** The kinds of workers' channels to listen to. */
  readonly listen: ListenedKinds;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** The state that its connections share with the others of the gateway. Without it they are on their own. */
  readonly links?: RedisLinks | undefined;
  /** The connection for marks and probes, which its owner closes. Default: one that is made and closed here. */
  readonly commands?: RedisCommands | undefined;
}

/**
 * The plain channels of workers, over a connection of its own, since a burst of bare messages must not hold up events
 * that watchers wait for. It listens again by itself after the connection was lost or its subscription stalled. Its
 * probes go over one channel of all gateways that listen: the answer to a probe says whether there are others.
 */
export class RedisWorkerChannels implements WorkerChannelPort {
  readonly #options: RedisWorkerChannelsOptions;
  readonly #links: RedisLinks;
  readonly #commands: RedisCommands;
  readonly #channels: PlainChannels;
  readonly #heard = Promise.withResolvers<void>();
  #link: SubscriptionLink | undefined;
  #counter: MarkedCounter | undefined;
  /** The connection that listens; undefined while there is none. */
  #current: ListeningConnection | undefined;
  #stopped = false;

  constructor(options: RedisWorkerChannelsOptions) {
    this.#options = options;
    this.#channels = new PlainChannels(options.listen, options.target.db);
    this.#links =
      options.links ?? new RedisLinks(options.clock, new OutageLog(options.clock, options.telemetry));
    this.#commands =
      options.commands ?? new RedisCommands({ ...options, links: this.#links, purpose: "dead-letters" });
  }

  /** Call it once. Resolves when Redis delivers for the first time, however long it is away before. */
  async listen(heard: (message: BareMessage) => void): Promise<void> {
    if (this.#options.listen.size === 0) return;
    const { target, clock, telemetry } = this.#options;
    const { probes } = this.#channels;
    const counter = new MarkedCounter({
      clock,
      telemetry,
      publish: (name) => this.#commands.write("mark", [], [probes, name]),
    });
    this.#counter = counter;
    const link = new SubscriptionLink({
      target,
      clock,
      telemetry,
      links: this.#links,
      purpose: "workers",
      probeChannel: () => probes,
      publish: (channel, message) => this.#commands.publish(channel, message),
      onReady: () => {
        counter.connected();
        void this.#ask();
      },
      onLost: () => {
        this.#current = undefined;
        counter.lost();
      },
    });
    this.#link = link;
    this.#channels.hear(
      link.redis,
      (message, bytes) => {
        const { lateMs } = link;
        heard({ ...message, occurrence: counter.heard(message.channel, bytes, lateMs), lateMs });
      },
      (text) => counter.heardProbe(text),
    );
    await this.#heard.promise;
  }

  async stopListening(): Promise<void> {
    const link = this.#link;
    if (link === undefined || this.#stopped) return;
    this.#stopped = true;
    this.#heard.resolve();
    try {
      if (link.away === undefined) await this.#channels.unsubscribe(link.redis);
    } catch (error) {
      this.#options.telemetry.log("debug", "stopped listening without an answer of Redis", {
        reason: reasonOf(error),
      });
    }
    this.#current = undefined;
    this.#counter?.close();
    link.close();
  }

  listening(): Listening | undefined {
    return this.#current;
  }

  get away(): BrokerTrouble | undefined {
    return this.#stopped ? undefined : this.#link?.away;
  }

  async close(): Promise<void> {
    await this.stopListening();
    if (this.#options.commands === undefined) this.#commands.close();
  }

  async #ask(): Promise<void> {
    const link = this.#link;
    if (link === undefined || this.#stopped) return;
    const { clock } = this.#options;
    const current = new ListeningConnection(link, clock.now());
    this.#current = current;
    try {
      current.newcomer = (await this.#channels.subscribe(link.redis, HELLO)) > 0;
      if (this.#current === current) this.#counter?.listens();
      // If the answer was slow, other gateways began to hear before this node did.
      current.since = clock.now();
      link.accepted();
      this.#heard.resolve();
    } catch (error) {
      // A connection that hears half of the channels is worse than none.
      if (!this.#stopped) link.refused(error);
    }
  }
}

/** One connection, from when it was made until it was lost. */
class ListeningConnection implements Listening {
  since: number;
  newcomer: boolean | undefined;
  readonly #link: SubscriptionLink;

  constructor(link: SubscriptionLink, since: number) {
    this.#link = link;
    this.since = since;
  }

  get others(): boolean | undefined {
    return this.#link.others;
  }
}

/** The gateways that listen already hear it and do nothing. */
const HELLO = "hello";
