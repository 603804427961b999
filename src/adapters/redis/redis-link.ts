import { Redis } from "ioredis";
import { BrokerUnavailable } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { reasonOf } from "../../application/reason-of.ts";
import { isReply, isTimeout } from "./broker-errors.ts";

/** Which Redis, and as whom. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

export interface RedisLinkOptions {
  readonly target: RedisTarget;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** What the connection is for: seen in CLIENT LIST and in the log. */
  readonly purpose: string;
  /**
   * Asked on every new connection before it counts as made, and from then on every two seconds to see whether Redis
   * still answers; PING where left out.
   */
  readonly check?: (redis: Redis) => Promise<void>;
  /** Called each time the connection is made, before anybody who waited for it goes on. */
  readonly onReady: () => void;
  /** Called when it broke. */
  readonly onLost?: () => void;
}

/** Longer than a script that is let through ever takes; shorter than a publisher waits for its answer. */
const COMMAND_TIMEOUT_MS = 2_000;
const PROBE_EVERY_MS = 2_000;
/** Unanswered probes after which the peer is taken for gone: a cut cable closes no connection. */
const PROBES_UNANSWERED = 3;

type LinkState =
  | { readonly type: "starting" }
  | { readonly type: "up" }
  /** Connected, but a command went unanswered. */
  | { readonly type: "silent"; readonly unanswered: number }
  | { readonly type: "lost"; readonly reason: string }
  | { readonly type: "closed" };

/**
 * One connection to Redis that knows whether it is good, and comes back by itself. Never queues: a command is sent
 * now or refused now, since one that waits for a connection is sent at a time nobody asked for, or twice.
 */
export class RedisLink {
  readonly redis: Redis;
  readonly #options: RedisLinkOptions;
  readonly #started = Promise.withResolvers<void>();
  readonly #stopProbing: () => void;
  #state: LinkState = { type: "starting" };
  #lastError = "not connected";
  #probing = false;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
    this.redis = connect(options);
    this.redis.on("error", (error: Error) => {
      this.#lastError = reasonOf(error);
    });
    this.redis.on("ready", () => void this.#connected());
    this.redis.on("close", () => this.#lost());
    this.#stopProbing = options.clock.every(PROBE_EVERY_MS, () => void this.#probe());
  }

  /** Why commands would fail now, or undefined where they are sent. */
  get away(): string | undefined {
    return reasonAway(this.#state);
  }

  get starting(): boolean {
    return this.#state.type === "starting";
  }

  /** Resolves once the first attempt to connect ended, well or not: until then nobody knows whether Redis is away. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Throws `BrokerUnavailable` where a command would not be sent, or not be answered. */
  assertUp(): void {
    if (this.away !== undefined) throw new BrokerUnavailable(this.away);
  }

  /** To be told of every failed command: one that ran out of time shows that Redis hangs before any probe does. */
  failed(error: unknown): void {
    if (isTimeout(error) && this.#state.type === "up") this.#silent(1);
  }

  /** Makes the connection anew, for when its state is no longer what it should be. */
  reconnect(): void {
    this.redis.disconnect(true);
  }

  close(): void {
    this.#state = { type: "closed" };
    this.#stopProbing();
    this.#started.resolve();
    this.redis.disconnect();
  }

  /** The client takes a database that it was refused for no obstacle and stays in the first: ask once more. */
  async #connected(): Promise<void> {
    const { db } = this.#options.target;
    try {
      if (db !== 0) await this.redis.select(db);
      await this.#options.check?.(this.redis);
      this.#ready();
    } catch (error) {
      this.#lastError = reasonOf(error);
      // Any other failure is that of a connection that is gone already.
      if (isReply(error) || isTimeout(error)) this.reconnect();
    }
  }

  #ready(): void {
    if (this.#state.type === "closed") return;
    const was = this.#state.type;
    this.#state = { type: "up" };
    this.#options.telemetry.log(
      "info",
      was === "starting" ? "connected to Redis" : "connected to Redis again",
      {
        connection: this.#options.purpose,
      },
    );
    this.#options.onReady();
    this.#started.resolve();
  }

  #lost(): void {
    if (this.#state.type === "closed") return;
    if (this.#state.type !== "lost") {
      this.#options.telemetry.log("warn", "no connection to Redis", {
        connection: this.#options.purpose,
        reason: this.#lastError,
      });
      this.#options.telemetry.count("broker_links_lost");
    }
    this.#state = { type: "lost", reason: this.#lastError };
    this.#options.onLost?.();
    this.#started.resolve();
  }

  #silent(unanswered: number): void {
    this.#state = { type: "silent", unanswered };
    if (unanswered === 1) {
      this.#options.telemetry.log("warn", "Redis does not answer", { connection: this.#options.purpose });
    }
  }

  async #probe(): Promise<void> {
    if (this.#probing || (this.#state.type !== "up" && this.#state.type !== "silent")) return;
    this.#probing = true;
    try {
      await (this.#options.check?.(this.redis) ?? this.redis.ping());
      this.#answered();
    } catch (error) {
      this.#unanswered(error);
    } finally {
      this.#probing = false;
    }
  }

  /** The connection held all the while: what was agreed on it stands. */
  #answered(): void {
    if (this.#state.type !== "silent") return;
    this.#state = { type: "up" };
    this.#options.telemetry.log("info", "Redis answers again", { connection: this.#options.purpose });
  }

  #unanswered(error: unknown): void {
    // Any other failure closes the connection, or is an answer.
    if (!isTimeout(error)) return;
    const before = this.#state.type === "silent" ? this.#state.unanswered : 0;
    if (this.#state.type !== "up" && this.#state.type !== "silent") return;
    this.#silent(before + 1);
    if (before + 1 >= PROBES_UNANSWERED) this.reconnect();
  }
}

function reasonAway(state: LinkState): string | undefined {
  switch (state.type) {
    case "up":
      return undefined;
    case "starting":
      return "connecting to Redis";
    case "silent":
      return "Redis does not answer";
    case "lost":
      return `no connection to Redis: ${state.reason}`;
    case "closed":
      return "closed";
  }
}

function connect({ target, purpose }: RedisLinkOptions): Redis {
  return new Redis({
    host: target.host,
    port: target.port,
    db: target.db,
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    connectionName: `telltale-${purpose}`,
    protocol: 2,
    connectTimeout: COMMAND_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    enableOfflineQueue: false,
    // With these two a command without an answer fails when its connection does, and is never sent again.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // Without a pause the attempts starve the event loop they need.
    retryStrategy: (times) => Math.min(200 * times, 1_000),
  });
}
