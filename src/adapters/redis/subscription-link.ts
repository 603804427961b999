import type { Redis } from "ioredis";
import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerUnavailable, reasonOf } from "../../application/errors.ts";
import { troubleOf } from "./redis-errors.ts";
import { RedisLink, type RedisLinkOptions } from "./redis-link.ts";
import { RedisLinks } from "./redis-links.ts";
import { SubscriptionProbe } from "./subscription-probe.ts";

export interface SubscriptionLinkOptions extends RedisLinkOptions {
  /** Where its probes are published; heard by this connection, and by whoever else subscribes to it. */
  readonly probeChannel: string;
  /** Publishes over another connection, as anybody does; resolves with how many connections Redis sent it to. */
  readonly publish: (channel: string, message: string) => Promise<number>;
}

/** A connection that listens, and that knows whether it hears: found deaf, it is made anew. */
export class SubscriptionLink {
  readonly #options: SubscriptionLinkOptions;
  readonly #link: RedisLink;
  readonly #probe: SubscriptionProbe;
  /** What it was last refused to listen to, by whoever asked. */
  readonly #refusals = new Map<Asker, BrokerTrouble>();
  /** Counts connections: an answer of an earlier one says nothing about this one. */
  #connection = 0;

  constructor(options: SubscriptionLinkOptions) {
    this.#options = options;
    const { probeChannel, publish, purpose } = options;
    const links = options.links ?? new RedisLinks(options.clock, options.telemetry);
    this.#probe = new SubscriptionProbe({
      ...options,
      publish: (probe) => publish(probeChannel, probe),
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
        this.#probe.end();
        options.onLost?.();
      },
    });
    this.redis.on("messageBuffer", (channel: Buffer, message: Buffer) => {
      if (channel.toString() === probeChannel) this.#probe.heard(message.toString());
      else this.#probe.hears();
    });
    this.redis.on("pmessageBuffer", () => this.#probe.hears());
  }

  get redis(): Redis {
    return this.#link.redis;
  }

  /** Why it cannot be relied on to hear what is published, or undefined. */
  get away(): BrokerTrouble | undefined {
    const [refusal] = this.#refusals.values();
    return this.#probe.away ?? refusal ?? this.#link.away;
  }

  /** How long ago, in milliseconds, what is read now may have been published at most. */
  get lateMs(): number {
    return this.#probe.lateMs;
  }

  /** Whether other connections listen on the channel of the probes; undefined while that is not known. */
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

  /** To be told that a SUBSCRIBE failed: what Redis has agreed to is not known any more, and a new connection begins. */
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

  /** To be told that Redis agreed to all that was asked. */
  accepted(asker: Asker = "owner"): void {
    this.#refusals.delete(asker);
  }

  reconnect(): void {
    this.#link.reconnect();
  }

  close(): void {
    this.#connection++;
    this.#probe.close();
    this.#link.close();
  }

  /** After what the owner subscribes to, so that whoever hears of this connection may count on it. */
  async #listen(): Promise<void> {
    const connection = this.#connection;
    try {
      await this.redis.subscribe(this.#options.probeChannel);
    } catch (error) {
      if (connection === this.#connection) this.refused(error, "probe");
      return;
    }
    if (connection !== this.#connection) return;
    this.accepted("probe");
    this.#probe.begin();
  }
}

/** Whoever subscribes over the connection: its owner to what it is for, the probe to its own channel. */
type Asker = "owner" | "probe";
