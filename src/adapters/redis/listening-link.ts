import type { Redis } from "ioredis";
import { reasonOf } from "../../application/reason-of.ts";
import { HearingProbe } from "./hearing-probe.ts";
import { RedisLink, type RedisLinkOptions } from "./redis-link.ts";

export interface ListeningLinkOptions extends RedisLinkOptions {
  /** Where its probes are published; heard by this connection, and by whoever else subscribes to it. */
  readonly probeChannel: string;
  /** Publishes over another connection, as anybody does; resolves with how many connections Redis sent it to. */
  readonly publish: (channel: string, message: string) => Promise<number>;
}

/** A connection that listens, and that knows whether it hears: found deaf, it is made anew. */
export class ListeningLink {
  readonly #options: ListeningLinkOptions;
  readonly #link: RedisLink;
  readonly #probe: HearingProbe;
  /** Counts connections: an answer of an earlier one says nothing about this one. */
  #connection = 0;

  constructor(options: ListeningLinkOptions) {
    this.#options = options;
    const { probeChannel, publish } = options;
    this.#probe = new HearingProbe({
      ...options,
      publish: (probe) => publish(probeChannel, probe),
      onDeaf: () => this.reconnect(),
    });
    this.#link = new RedisLink({
      ...options,
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
  get away(): string | undefined {
    return this.#probe.away ?? this.#link.away;
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
      if (connection !== this.#connection) return;
      this.#options.telemetry.log("warn", "subscribing failed, connecting anew", {
        connection: this.#options.purpose,
        reason: reasonOf(error),
      });
      this.reconnect();
      return;
    }
    if (connection === this.#connection) this.#probe.begin();
  }
}
