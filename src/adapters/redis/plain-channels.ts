import { isUtf8 } from "node:buffer";
import type { Redis } from "ioredis";
import type { BareMessage } from "../../application/ports/worker-channel-port.ts";
import { SYSTEM_CHANNEL } from "../../domain/channel.ts";
import { listenersChannel } from "./redis-keys.ts";

/** The kinds of workers' channels that a gateway listens to. */
export type ListenedKinds = ReadonlySet<"analysis" | "user" | "system">;

/** A message as it arrived, before it is counted. */
type PlainMessage = Pick<BareMessage, "channel" | "payload" | "garbled">;

/** The plain channels of workers, and the channel of the gateways' probes, as one connection hears them. */
export class PlainChannels {
  readonly probes: string;
  readonly #patterns: readonly string[];
  readonly #hearsSystem: boolean;

  constructor(listen: ListenedKinds, db: number) {
    this.probes = listenersChannel(db);
    this.#patterns = (["analysis", "user"] as const)
      .filter((kind) => listen.has(kind))
      .map((kind) => `${kind}:*`);
    this.#hearsSystem = listen.has("system");
  }

  /** Calls these for everything that arrives. */
  hear(
    redis: Redis,
    onMessage: (message: PlainMessage, bytes: Buffer) => void,
    onProbe: (text: string) => void,
  ): void {
    redis.on("messageBuffer", (channel: Buffer, bytes: Buffer) => {
      if (channel.toString() === SYSTEM_CHANNEL) onMessage(messageOf(channel, bytes), bytes);
      else onProbe(bytes.toString());
    });
    redis.on("pmessageBuffer", (_pattern: string, channel: Buffer, bytes: Buffer) => {
      onMessage(messageOf(channel, bytes), bytes);
    });
  }

  /**
   * Resolves when Redis delivers, with how many connections heard `hello` before. It publishes and subscribes in one
   * piece: of several gateways that come at once, all but the first find another there.
   */
  async subscribe(redis: Redis, hello?: string): Promise<number> {
    const asked = redis.pipeline();
    if (hello !== undefined) asked.publish(this.probes, hello);
    if (this.#patterns.length > 0) asked.psubscribe(...this.#patterns);
    asked.subscribe(this.probes, ...(this.#hearsSystem ? [SYSTEM_CHANNEL] : []));
    const answers = await asked.exec();
    for (const [error] of answers ?? []) if (error !== null) throw error;
    return hello === undefined ? 0 : Number(answers?.[0]?.[1]);
  }

  /** Resolves when Redis has answered. Messages that it sent before the answers are read before them. */
  async unsubscribe(redis: Redis): Promise<void> {
    await Promise.all([
      this.#patterns.length > 0 && redis.punsubscribe(...this.#patterns),
      this.#hearsSystem && redis.unsubscribe(SYSTEM_CHANNEL),
    ]);
  }
}

function messageOf(channel: Buffer, payload: Buffer): PlainMessage {
  const message = { channel: channel.toString(), payload: payload.toString() };
  // Read as text, different bytes would become the same characters, and the name of a channel that of another.
  return isUtf8(channel) && isUtf8(payload) ? message : { ...message, garbled: true };
}
