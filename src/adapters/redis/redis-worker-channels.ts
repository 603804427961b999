import { isUtf8 } from "node:buffer";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type {
  BareMessage,
  DeadLetter,
  WorkerChannelPort,
} from "../../application/ports/worker-channel-port.ts";
import { reasonOf } from "../../application/reason-of.ts";
import { SYSTEM_CHANNEL } from "../../domain/channel.ts";
import { DEAD_LETTERS_KEPT, keptPayload, knownLetter } from "../dead-letter-limits.ts";
import { RedisCommands } from "./redis-commands.ts";
import { DEAD_LETTERS_KEY, seenDeadLetterKey } from "./redis-keys.ts";
import { RedisLink, type RedisTarget } from "./redis-link.ts";

export interface RedisWorkerChannelsOptions {
  readonly target: RedisTarget;
  /** Which of the workers' channels are listened to. */
  readonly listen: ReadonlySet<"analysis" | "user" | "system">;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/**
 * The plain channels of workers, over a connection of its own: a burst of theirs must not hold up what watchers wait
 * for. Listens again by itself after the connection was lost.
 */
export class RedisWorkerChannels implements WorkerChannelPort {
  readonly #options: RedisWorkerChannelsOptions;
  readonly #commands: RedisCommands;
  readonly #listening = Promise.withResolvers<void>();
  #link: RedisLink | undefined;

  constructor(options: RedisWorkerChannelsOptions) {
    this.#options = options;
    this.#commands = new RedisCommands({ ...options, purpose: "dead-letters" });
  }

  /** To be called once. Resolves at the first time that Redis delivers, however long it is away. */
  async listen(heard: (message: BareMessage) => void): Promise<void> {
    if (this.#options.listen.size === 0) return;
    const { target, clock, telemetry } = this.#options;
    this.#link = new RedisLink({
      target,
      clock,
      telemetry,
      purpose: "workers",
      onReady: () => void this.#ask(),
    });
    this.#link.redis.on("messageBuffer", (channel: Buffer, payload: Buffer) =>
      heard(messageOf(channel, payload)),
    );
    this.#link.redis.on("pmessageBuffer", (_pattern: string, channel: Buffer, payload: Buffer) =>
      heard(messageOf(channel, payload)),
    );
    await this.#listening.promise;
  }

  async keepDeadLetter(letter: DeadLetter): Promise<void> {
    const { channel, payload, reason } = letter;
    const { name, windowMs, rememberMs } = knownLetter(letter);
    const at = new Date(this.#options.clock.now()).toISOString();
    const times = [`${windowMs}`, `${rememberMs}`];
    await this.#commands.write(
      "deadLetter",
      [DEAD_LETTERS_KEY, seenDeadLetterKey(name)],
      [channel, keptPayload(payload), reason, at, `${DEAD_LETTERS_KEPT}`, ...times],
    );
  }

  async close(): Promise<void> {
    this.#listening.resolve();
    this.#link?.close();
    this.#commands.close();
  }

  async #ask(): Promise<void> {
    const redis = this.#link?.redis;
    if (redis === undefined) return;
    const { listen } = this.#options;
    const patterns = (["analysis", "user"] as const).filter((lane) => listen.has(lane));
    try {
      if (patterns.length > 0) await redis.psubscribe(...patterns.map((lane) => `${lane}:*`));
      if (listen.has("system")) await redis.subscribe(SYSTEM_CHANNEL);
      this.#listening.resolve();
    } catch (error) {
      // A connection that hears half of what it should is worse than none.
      this.#options.telemetry.log("warn", "listening to workers failed, connecting anew", {
        reason: reasonOf(error),
      });
      this.#link?.reconnect();
    }
  }
}

function messageOf(channel: Buffer, payload: Buffer): BareMessage {
  const message = { channel: channel.toString(), payload: payload.toString() };
  // Read as text, different bytes would become the same letters, and the name of a channel another's.
  return isUtf8(channel) && isUtf8(payload) ? message : { ...message, garbled: true };
}
