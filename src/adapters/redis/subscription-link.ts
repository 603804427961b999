import type { Redis } from "ioredis";
import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerUnavailable, reasonOf } from "../../application/errors.ts";
import { CHANNEL_COMMANDS, type ChannelCommands } from "./channel-commands.ts";
import { movedTo, troubleOf } from "./redis-errors.ts";
import { RedisLink, type RedisLinkOptions } from "./redis-link.ts";
import type { OwnChannels } from "./redis-scripts.ts";
import { SubscriptionProbe } from "./subscription-probe.ts";

/** A server that refers the probes to another one is asked again after so long. */
const AGAIN_MS = 200;

interface SubscriptionLinkOptions extends RedisLinkOptions {
  /** Names the channel of its probes. This connection hears them, and any other that subscribes to the channel. */
  readonly probeChannel: () => string;
  /** The kind of channels that it subscribes to. Default: plain. */
  readonly ownChannels?: OwnChannels | undefined;
  /** Called with the answer of a server that refers the probes to another one. */
  readonly onMoved?: (error: unknown) => void;
  /** Publishes over another connection, as anybody does. Resolves with how many connections Redis sent it to. */
  readonly publish: (channel: string, message: string) => Promise<number>;
}

/** A connection that listens and that probes its own subscription. If the subscription stalled, it connects anew. */
export class SubscriptionLink {
  readonly #options: SubscriptionLinkOptions;
  readonly #link: RedisLink;
  readonly #probe: SubscriptionProbe;
  readonly #commands: ChannelCommands;
  /** The last refusal of Redis to subscribe it, by asker. */
  readonly #refusals = new Map<Asker, BrokerTrouble>();
  /** Counts connections: an answer of an earlier one says nothing about this one. */
  #connection = 0;
  #probeChannel: string | undefined;

  constructor(options: SubscriptionLinkOptions) {
    this.#options = options;
    const { links, publish, purpose } = options;
    this.#commands = CHANNEL_COMMANDS[options.ownChannels ?? "plain"];
    this.#probe = new SubscriptionProbe({
      ...options,
      publish: (probe) => publish(this.#probeChannel ?? "", probe),
      onStalled: () => {
        links.outages.report(`${purpose} (hearing)`, { cause: "deaf" });
        this.reconnect();
      },
      onRecovered: () => links.outages.clear(`${purpose} (hearing)`),
    });
    this.#link = new RedisLink({
      ...options,
      links,
      onReady: () => {
        this.#probe.connected();
        options.onReady();
        void this.#listen();
      },
      onLost: () => {
        this.#connection++;
        this.#probeChannel = undefined;
        this.#probe.end();
        options.onLost?.();
      },
    });
    this.redis.on(this.#commands.messageBuffer, (channel: Buffer, message: Buffer) => {
      if (channel.toString() === this.#probeChannel) this.#probe.heard(message.toString());
      else this.#probe.hears();
    });
    this.redis.on("pmessageBuffer", () => this.#probe.hears());
  }

  get redis(): Redis {
    return this.#link.redis;
  }

  /** Why it may miss messages, or undefined if it hears them all. */
  get away(): BrokerTrouble | undefined {
    const [refusal] = this.#refusals.values();
    return this.#probe.away ?? refusal ?? this.#link.away;
  }

  /** How many milliseconds ago a message that is read now may have been published at most. */
  get lateMs(): number {
    return this.#probe.lateMs;
  }

  /** Whether other connections listen on the channel of the probes; undefined while nobody knows. */
  get others(): boolean | undefined {
    return this.#probe.others;
  }

  get starting(): boolean {
    return this.#link.starting;
  }

  get started(): Promise<void> {
    return this.#link.started;
  }

  assertUp(): void {
    this.#link.assertUp();
    const [trouble] = this.#refusals.values();
    if (trouble !== undefined) throw new BrokerUnavailable("Redis refuses to be listened to", { trouble });
  }

  /** Call it when a SUBSCRIBE failed: nobody knows any more what Redis has subscribed, so it connects anew. */
  refused(error: unknown, asker: Asker = "owner"): void {
    const { purpose, telemetry } = this.#options;
    telemetry.log("debug", "subscribing failed, connecting anew", {
      connection: purpose,
      reason: reasonOf(error),
    });
    const trouble = troubleOf(error);
    if (trouble.cause === "permission") this.#refusals.set(asker, trouble);
    this.#link.giveUp(error);
  }

  /** Call it when Redis has subscribed it to all channels that were asked for. */
  accepted(asker: Asker = "owner"): void {
    this.#refusals.delete(asker);
  }

  /** Call it with the channels that the server still delivers: if it dropped that of the probes, they get another one. */
  keepsOnly(delivered: ReadonlySet<string>): void {
    if (this.#probeChannel === undefined || delivered.has(this.#probeChannel)) return;
    this.#probeChannel = undefined;
    this.#probe.end();
    void this.#listen();
  }

  reconnect(): void {
    this.#link.reconnect();
  }

  close(): void {
    this.#connection++;
    this.#probe.close();
    this.#link.close();
  }

  /** Subscribes to the probes after the owner's channels: a node that hears of this connection may count on those. */
  async #listen(): Promise<void> {
    const connection = this.#connection;
    let channel: string;
    try {
      channel = this.#options.probeChannel();
      await this.#commands.subscribe(this.redis, [channel]);
    } catch (error) {
      if (connection === this.#connection) this.#notHeard(error);
      return;
    }
    if (connection !== this.#connection) return;
    this.#probeChannel = channel;
    this.accepted("probe");
    this.#probe.begin();
  }

  /** A server that refers the probes to another one is asked for another channel. */
  #notHeard(error: unknown): void {
    if (movedTo(error) === undefined) {
      this.refused(error, "probe");
      return;
    }
    this.#options.onMoved?.(error);
    const connection = this.#connection;
    this.#options.clock.after(AGAIN_MS, () => {
      if (connection === this.#connection) void this.#listen();
    });
  }
}

/** The two that subscribe over the connection: its owner, and the probe to its own channel. */
type Asker = "owner" | "probe";
