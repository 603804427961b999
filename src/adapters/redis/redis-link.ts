import type { Redis } from "ioredis";
import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { wordsOf } from "../../application/broker-trouble.ts";
import { BrokerUnavailable, reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import {
  type LinkEnd,
  type LinkState,
  MOVING,
  SILENT,
  troubleIn,
  UNREACHABLE,
} from "../broker/link-state.ts";
import { RepeatedFailures, RetryPauses } from "../broker/repeated-failures.ts";
import { connect, endFor, type RedisTarget } from "./redis-connection.ts";
import { isDemotion, isReply, isTimeout, troubleOf } from "./redis-errors.ts";
import type { RedisLinks } from "./redis-links.ts";

export interface RedisLinkOptions {
  readonly target: RedisTarget;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** The purpose of the connection, as CLIENT LIST and the log show it. */
  readonly purpose: string;
  /** The state that it shares with the other connections of the gateway to this primary. */
  readonly links: RedisLinks;
  /**
   * Called on every new connection before it counts as made, and from then on every two seconds to see whether Redis still
   * answers. Default: PING.
   */
  readonly check?: (redis: Redis) => Promise<void>;
  /** Called each time the connection is made, before a caller that waited for it goes on. */
  readonly onReady: () => void;
  /** Called when it broke. */
  readonly onLost?: () => void;
}

const PROBE_EVERY_MS = 2_000;
/** After so many unanswered probes the link takes the peer for gone: a cut cable closes no connection. */
const PROBES_UNANSWERED = 3;
/** How long a connection may do nothing but fail before it is made anew, and how long it may be a replica's. */
const FAILS_MS = { first: 3_000, longest: 60_000 };
const READ_ONLY_MS = { first: 300, longest: 300 };
/** Commands that are under way on a connection get their answers before it is given up. */
const LEAVE_AFTER_MS = 100;

/**
 * One connection to Redis that knows whether it is good, and comes back by itself, to wherever the address leads by
 * then. It never queues: it sends a command now or refuses it now, since one that waits for a connection is sent at a time
 * nobody asked for, or twice.
 */
export class RedisLink {
  readonly redis: Redis;
  readonly #options: RedisLinkOptions;
  readonly #started = Promise.withResolvers<void>();
  readonly #stopProbing: () => void;
  readonly #failures: RepeatedFailures;
  readonly #readOnly: RepeatedFailures;
  readonly #pauses: RetryPauses;
  #state: LinkState = { type: "starting" };
  /** Why the connection is about to be lost, or was. */
  #ending: LinkEnd = UNREACHABLE;
  #server: string | undefined;
  #probing = false;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
    const { target, purpose, clock } = options;
    this.#failures = new RepeatedFailures(clock, FAILS_MS);
    this.#readOnly = new RepeatedFailures(clock, READ_ONLY_MS);
    this.#pauses = new RetryPauses(clock);
    this.redis = connect(target, purpose, (attempts) => this.#pauses.after(attempts));
    this.redis.on("error", (error: Error) => this.#endsFor(error));
    this.redis.on("ready", () => void this.#connected());
    this.redis.on("close", () => this.#lost());
    this.#stopProbing = clock.every(PROBE_EVERY_MS, () => void this.#probe());
    this.#options.links.add(this);
  }

  /** Why commands would fail now, or undefined if they are sent. */
  get away(): BrokerTrouble | undefined {
    return troubleIn(this.#state);
  }

  get starting(): boolean {
    return this.#state.type === "starting";
  }

  /** Resolves when the first attempt to connect has ended, well or not. Until then nobody knows whether Redis is away. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** The server that it is connected to: another one after each restart. Undefined if the gateway may not ask. */
  get server(): string | undefined {
    return this.#state.type === "up" ? this.#server : undefined;
  }

  /** Throws `BrokerUnavailable` if a command would not be sent, or not be answered. */
  assertUp(): void {
    const trouble = this.away;
    if (trouble === undefined) return;
    const message = this.#state.type === "lost" ? this.#state.detail : wordsOf(trouble);
    throw new BrokerUnavailable(message, { trouble });
  }

  /**
   * Call it for every failed command. One that ran out of time shows that Redis hangs before any probe does. The link
   * leaves a server that takes no writes, or that refuses for long, for the one that the address leads to by now.
   */
  failed(error: unknown): void {
    if (isTimeout(error) && this.#state.type === "up") this.#silent(1);
    if (!isReply(error) && !isTimeout(error)) return;
    const trouble = troubleOf(error);
    if (trouble.cause === "fault") return;
    const stays = trouble.cause === "read_only" ? this.#readOnly.areTooMany() : this.#failures.areTooMany();
    if (stays || isDemotion(error)) this.giveUp(error);
  }

  /** Call it for every command that succeeded, with whether it may have written. */
  worked(wrote = false): void {
    this.#failures.end();
    if (wrote) this.#readOnly.end();
  }

  /** Makes the connection anew because of the answer to a command, each time in a row after a longer pause. */
  giveUp(error: unknown): void {
    if (this.#state.type !== "up" && this.#state.type !== "silent") return;
    const trouble = troubleOf(error);
    this.#state = { type: "leaving", trouble };
    this.#pauses.givenUp();
    this.#options.links.outages.report(this.#options.purpose, trouble, reasonOf(error));
    this.#options.clock.after(LEAVE_AFTER_MS, () => {
      if (this.#state.type !== "leaving") return;
      this.#endsFor(error);
      this.redis.disconnect(true);
    });
  }

  /** Makes the connection anew because its state is no longer the right one. */
  reconnect(): void {
    this.redis.disconnect(true);
  }

  move(): void {
    this.#ending = MOVING;
    this.reconnect();
  }

  close(): void {
    this.#state = { type: "closed" };
    this.#stopProbing();
    this.#started.resolve();
    this.#options.links.remove(this);
    this.#options.links.outages.forget(this.#options.purpose);
    this.redis.disconnect();
  }

  #endsFor(error: unknown): void {
    this.#ending = endFor(error, this.#options.target);
  }

  /** The client does not mind if its database was refused, and stays in the first one: the link asks once more. */
  async #connected(): Promise<void> {
    const { db } = this.#options.target;
    try {
      await this.#greet();
      if (db !== 0) await this.redis.select(db);
      await this.#options.check?.(this.redis);
      this.#ready();
    } catch (error) {
      // Any other failure is that of a connection that is gone already.
      if (!isReply(error) && !isTimeout(error)) return;
      this.#endsFor(error);
      this.#pauses.givenUp();
      this.reconnect();
    }
  }

  /** Finds out whether the server serves anybody, and which one it is. */
  async #greet(): Promise<void> {
    const [ping, info] = await Promise.allSettled([this.redis.ping(), this.redis.info("server")]);
    if (ping.status === "rejected" && troubleOf(ping.reason).cause !== "permission") throw ping.reason;
    this.#server = info.status === "fulfilled" ? /^run_id:(\w+)/m.exec(info.value)?.[1] : undefined;
  }

  #ready(): void {
    if (this.#state.type === "closed") return;
    this.#state = { type: "up" };
    this.#ending = UNREACHABLE;
    const { purpose, telemetry, onReady } = this.#options;
    telemetry.log("debug", "connected to Redis", { connection: purpose });
    this.#options.links.outages.clear(purpose);
    onReady();
    this.#started.resolve();
  }

  #lost(): void {
    if (this.#state.type === "closed") return;
    const { purpose, telemetry, onLost } = this.#options;
    const { trouble } = this.#ending;
    const detail = `no connection to Redis: ${this.#ending.detail}`;
    if (this.#state.type !== "lost") telemetry.count("telltale_broker_connections_lost_total", {});
    this.#state = { type: "lost", trouble, detail };
    // A connection that moves counts as lost only once it cannot be made anew.
    if (this.#ending !== MOVING) {
      this.#options.links.outages.report(purpose, trouble, detail);
    }
    this.#ending = UNREACHABLE;
    this.#options.links.lost();
    onLost?.();
    this.#started.resolve();
  }

  #silent(unanswered: number): void {
    this.#state = { type: "silent", unanswered };
    this.#options.links.outages.report(this.#options.purpose, SILENT);
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

  /** The connection held all the while: its subscriptions remain. */
  #answered(): void {
    if (this.#state.type !== "silent") return;
    this.#state = { type: "up" };
    this.#options.links.outages.clear(this.#options.purpose);
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
