import type { Msg, MsgCallback, NatsConnection, Subscription } from "@nats-io/transport-node";
import { type BrokerTrouble, wordsOf } from "../../application/broker-trouble.ts";
import { BrokerUnavailable, reasonOf } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { type LinkEnd, type LinkState, SILENT, troubleIn, UNREACHABLE } from "../broker/link-state.ts";
import { OutageLog } from "../broker/outage-log.ts";
import { RetryPauses } from "../broker/repeated-failures.ts";
import {
  connectTo,
  flushed,
  leave,
  type NatsRequestOptions,
  type NatsRequests,
  type NatsServer,
  type NatsTarget,
  requestOn,
  requestsOn,
  serverOf,
} from "./nats-connection.ts";
import { isNoResponders, isTimeout, troubleOf } from "./nats-errors.ts";
import { NatsProbe } from "./nats-probe.ts";

export interface NatsLinkOptions {
  readonly target: NatsTarget;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  /** The purpose of the connection, as the server and the log show it. */
  readonly purpose: string;
  /** The outages that it tells together with the other connections of the gateway. Without it the connection is on its own. */
  readonly outages?: OutageLog | undefined;
  /** Called on every new connection before it counts as made. If it rejects, the link connects anew after a pause. */
  readonly check?: (connection: NatsRequests, server: NatsServer) => Promise<void>;
  /** Called each time the connection is made, before a caller that waited for it goes on. */
  readonly onReady?: () => void;
  /** Called when it broke. */
  readonly onLost?: () => void;
}

const STOPPING: LinkEnd = { trouble: { cause: "connecting" }, detail: "the server is about to stop" };

/**
 * One connection to NATS that knows whether it is good, and comes back by itself. Each connection is to one process of a
 * server. The link never queues: it sends a request now or refuses it now, and sends nothing twice.
 */
export class NatsLink implements NatsRequests {
  readonly #options: NatsLinkOptions;
  readonly #outages: OutageLog;
  readonly #pauses: RetryPauses;
  readonly #started = Promise.withResolvers<void>();
  readonly #closing = Promise.withResolvers<void>();
  readonly #probe: NatsProbe;
  #state: LinkState = { type: "starting" };
  #connection: NatsConnection | undefined;
  #server: NatsServer | undefined;
  /** Why the connection is about to be lost, or was. */
  #ending: LinkEnd = UNREACHABLE;

  constructor(options: NatsLinkOptions) {
    this.#options = options;
    const { clock, telemetry } = options;
    this.#outages = options.outages ?? new OutageLog(clock, telemetry);
    this.#pauses = new RetryPauses(clock);
    this.#probe = new NatsProbe({
      ...options,
      answered: () => this.#answered(),
      unanswered: () => this.#silent(),
      gone: () => this.reconnect({ trouble: SILENT, detail: wordsOf(SILENT) }),
    });
    void this.#stayConnected();
  }

  /** Why requests would fail now, or undefined if they are sent. */
  get away(): BrokerTrouble | undefined {
    return troubleIn(this.#state);
  }

  /** Resolves when the first attempt to connect has ended, well or not. Until then nobody knows whether NATS is away. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** The server that it is connected to, or that it was last. */
  get server(): NatsServer | undefined {
    return this.#server;
  }

  /** Throws `BrokerUnavailable` if a request would not be sent, or not be answered. */
  assertUp(): void {
    const trouble = this.away;
    if (trouble === undefined) return;
    const message = this.#state.type === "lost" ? this.#state.detail : wordsOf(trouble);
    throw new BrokerUnavailable(message, { trouble });
  }

  async request(
    subject: string,
    payload: Uint8Array | string = "",
    options: NatsRequestOptions = {},
  ): Promise<Msg> {
    const connection = this.#open();
    try {
      return await requestOn(connection, subject, payload, options);
    } catch (error) {
      if (this.#connection === connection) this.#failed(error);
      throw error;
    }
  }

  /** Publishes and waits for nothing; an answer goes to `reply`. Throws `BrokerUnavailable` if the connection is not up. */
  publish(subject: string, payload: string, reply?: string): void {
    this.#open().publish(subject, payload, reply === undefined ? undefined : { reply });
  }

  /**
   * Subscribes on the present connection, in a queue group if one is named; the subscription ends with it. Messages and the server's refusal go to `heard`.
   * Throws `BrokerUnavailable` if the connection is not up.
   */
  subscribe(subject: string, heard: MsgCallback<Msg>, options: { queue?: string } = {}): Subscription {
    return this.#open().subscribe(subject, { callback: heard, ...options });
  }

  /** Resolves when the server has handled everything that was sent before. Rejects as `request` does. */
  async flush(): Promise<void> {
    await flushed(this.#open());
  }

  /** JetStream or the stream is gone: the check of the next connection says which, or makes the stream anew. */
  readonly streamIsGone = (refusal: unknown): void =>
    this.reconnect({ trouble: troubleOf(refusal), detail: reasonOf(refusal) });

  /** Makes the connection anew, because its state is no longer the right one. */
  reconnect(why: LinkEnd = UNREACHABLE): void {
    if (this.#connection === undefined) return;
    this.#ending = why;
    this.#pauses.givenUp();
    leave(this.#connection);
  }

  close(): void {
    this.#state = { type: "closed" };
    this.#probe.close();
    this.#started.resolve();
    this.#closing.resolve();
    this.#outages.forget(this.#options.purpose);
    if (this.#connection !== undefined) leave(this.#connection);
  }

  #open(): NatsConnection {
    this.assertUp();
    if (this.#connection === undefined) throw new BrokerUnavailable("no connection to NATS");
    return this.#connection;
  }

  /** Never rejects. */
  async #stayConnected(): Promise<void> {
    let attempts = 0;
    while (this.#state.type !== "closed") {
      try {
        const connection = await this.#connect();
        attempts = 0;
        await connection.closed();
      } catch (error) {
        this.#ending = { trouble: troubleOf(error), detail: reasonOf(error) };
      }
      this.#lost();
      attempts++;
      await this.#pause(this.#pauses.after(attempts));
    }
  }

  async #connect(): Promise<NatsConnection> {
    const { target, purpose, check } = this.#options;
    const connection = await connectTo(target, purpose);
    try {
      const server = serverOf(connection);
      await check?.(requestsOn(connection), server);
      if (this.#state.type === "closed") leave(connection);
      else this.#ready(connection, server);
    } catch (error) {
      leave(connection);
      throw error;
    }
    void this.#listen(connection);
    return connection;
  }

  #ready(connection: NatsConnection, server: NatsServer): void {
    this.#connection = connection;
    this.#probe.watch(connection);
    this.#server = server;
    this.#state = { type: "up" };
    this.#ending = UNREACHABLE;
    const { purpose, telemetry, onReady } = this.#options;
    telemetry.log("debug", "connected to NATS", { connection: purpose });
    this.#outages.clear(purpose);
    onReady?.();
    this.#started.resolve();
  }

  #lost(): void {
    const wasMade = this.#connection !== undefined;
    this.#connection = undefined;
    this.#probe.watch(undefined);
    if (this.#state.type === "closed") return;
    const { purpose, telemetry, onLost } = this.#options;
    const { trouble, detail: reason } = this.#ending;
    const detail = `no connection to NATS: ${reason}`;
    if (this.#state.type !== "lost") telemetry.count("telltale_broker_connections_lost_total", {});
    this.#state = { type: "lost", trouble, detail };
    this.#outages.report(purpose, trouble, detail);
    this.#ending = UNREACHABLE;
    if (wasMade) onLost?.();
    this.#started.resolve();
  }

  /** Leaves a server that says that it is about to stop. Never rejects. */
  async #listen(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (this.#connection !== connection) return;
      if (type === "ldm") this.reconnect(STOPPING);
    }
  }

  /** A request that ran out of time shows that the server hangs before any probe does. */
  #failed(error: unknown): void {
    if (isTimeout(error)) this.#silent();
    else if (isNoResponders(error)) this.streamIsGone(error);
  }

  #silent(): void {
    if (this.#state.type === "closed" || this.#state.type === "lost") return;
    this.#state = { type: "silent", unanswered: 1 };
    this.#outages.report(this.#options.purpose, SILENT);
  }

  /** Its subscriptions remain. */
  #answered(): void {
    if (this.#state.type !== "silent") return;
    this.#state = { type: "up" };
    this.#outages.clear(this.#options.purpose);
  }

  async #pause(milliseconds: number): Promise<void> {
    const over = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(milliseconds, over.resolve);
    await Promise.race([over.promise, this.#closing.promise]);
    cancel();
  }
}
