import { isUtf8 } from "node:buffer";
import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type {
  BareMessage,
  Listening,
  WorkerChannelPort,
} from "../../application/ports/worker-channel-port.ts";
import { SYSTEM_CHANNEL } from "../../domain/channel.ts";
import { MarkedCounter } from "./marked-counter.ts";
import { RedisCommands } from "./redis-commands.ts";
import type { RedisTarget } from "./redis-connection.ts";
import { listenersChannel } from "./redis-keys.ts";
import { RedisLinks } from "./redis-links.ts";
import { SubscriptionLink } from "./subscription-link.ts";

export interface RedisWorkerChannelsOptions {
  readonly target: RedisTarget;
  /** The kinds of workers' channels to listen to. */
  readonly listen: ReadonlySet<"analysis" | "user" | "system">;
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
  readonly #heard = Promise.withResolvers<void>();
  #link: SubscriptionLink | undefined;
  #counter: MarkedCounter | undefined;
  /** The connection that listens; undefined while there is none. */
  #current: ListeningConnection | undefined;
  #stopped = false;

  constructor(options: RedisWorkerChannelsOptions) {
    this.#options = options;
    this.#links = options.links ?? new RedisLinks(options.clock, options.telemetry);
    this.#commands =
      options.commands ?? new RedisCommands({ ...options, links: this.#links, purpose: "dead-letters" });
  }

  /** Call it once. Resolves when Redis delivers for the first time, however long it is away before. */
  async listen(heard: (message: BareMessage) => void): Promise<void> {
    if (this.#options.listen.size === 0) return;
    const { target, clock, telemetry } = this.#options;
    const probeChannel = listenersChannel(target.db);
    const counter = new MarkedCounter({
      clock,
      telemetry,
      publish: (name) => this.#commands.write("mark", [], [probeChannel, name]),
    });
    this.#counter = counter;
    const link = new SubscriptionLink({
      target,
      clock,
      telemetry,
      links: this.#links,
      purpose: "workers",
      probeChannel,
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
    const hear = (channel: Buffer, payload: Buffer) => {
      const { lateMs } = link;
      const message = messageOf(channel, payload);
      heard({ ...message, occurrence: counter.heard(message.channel, payload, lateMs), lateMs });
    };
    link.redis.on("messageBuffer", (channel: Buffer, payload: Buffer) => {
      if (channel.toString() === SYSTEM_CHANNEL) hear(channel, payload);
      else counter.heardProbe(payload.toString());
    });
    link.redis.on("pmessageBuffer", (_pattern: string, channel: Buffer, payload: Buffer) => {
      hear(channel, payload);
    });
    await this.#heard.promise;
  }

  async stopListening(): Promise<void> {
    const link = this.#link;
    if (link === undefined || this.#stopped) return;
    this.#stopped = true;
    this.#heard.resolve();
    try {
      if (link.away === undefined) await this.#part(link);
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
      current.newcomer = (await this.#join(link)) > 0;
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

  /**
   * Resolves with how many gateways listened before. It publishes and subscribes in one piece: of several gateways that
   * come at once, all but the first find another there.
   */
  async #join({ redis }: SubscriptionLink): Promise<number> {
    const { target, listen } = this.#options;
    const probes = listenersChannel(target.db);
    const asked = redis.pipeline().publish(probes, HELLO);
    if (this.#patterns.length > 0) asked.psubscribe(...this.#patterns);
    asked.subscribe(probes, ...(listen.has("system") ? [SYSTEM_CHANNEL] : []));
    const answers = await asked.exec();
    for (const [error] of answers ?? []) if (error !== null) throw error;
    return Number(answers?.[0]?.[1]);
  }

  /** Resolves when Redis has answered. Messages that it sent before the answers are read before them. */
  async #part({ redis }: SubscriptionLink): Promise<void> {
    await Promise.all([
      this.#patterns.length > 0 && redis.punsubscribe(...this.#patterns),
      this.#options.listen.has("system") && redis.unsubscribe(SYSTEM_CHANNEL),
    ]);
  }

  get #patterns(): string[] {
    return (["analysis", "user"] as const)
      .filter((kind) => this.#options.listen.has(kind))
      .map((kind) => `${kind}:*`);
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

function messageOf(channel: Buffer, payload: Buffer): Pick<BareMessage, "channel" | "payload" | "garbled"> {
  const message = { channel: channel.toString(), payload: payload.toString() };
  // Read as text, different bytes would become the same characters, and the name of a channel that of another.
  return isUtf8(channel) && isUtf8(payload) ? message : { ...message, garbled: true };
}
