import { ConnectionWriter } from "../application/fan-out/connection-writer.ts";
import type { NoticeWatch } from "../application/notice-watch.ts";
import type { OpenConnection } from "../application/open-connections.ts";
import type { ClientConnectionPort } from "../application/ports/client-connection-port.ts";
import type { Transport } from "../application/ports/metric-catalogue.ts";
import type { TokenCheck } from "../application/token-checks.ts";
import type { AccessGrant } from "../domain/access-grant.ts";
import type { AnalysisId } from "../domain/channel.ts";
import { CLOSE_CODES, type CloseCode } from "../domain/close-code.ts";
import { Admission, type Held, REFUSALS, type Refusal, refusalFor } from "./admission.ts";
import { connectionEstablished, protocolError } from "./server-frames.ts";
import { countResume, logFault, type SessionServices } from "./session-services.ts";
import type { WatchQuery } from "./watch-query.ts";

/**
 * One watcher's connection without its socket, from the request to the end. A runtime adapter passes in everything that
 * the client does and writes out everything that the session sends. It decides nothing by itself. `WebSocketSession`
 * serves `/ws/analysis/{id}` and `/ws`; `SseSession` serves event streams. Both enter (admission.ts), prepare, begin and
 * leave.
 *
 * Close codes: `domain/close-code.ts` is the one table of them, with what a client does after each. `REFUSALS` in
 * admission.ts says which code and reason a refused client gets.
 *
 * Slow clients: `application/fan-out/connection-writer.ts` stops sending when the socket takes no more. Meanwhile
 * `delivery.ts` beside it skips superseded statuses, and it calls `tooSlow` if too much waits. `client-limits.ts` bounds the
 * answers that a client leaves unread.
 */
export abstract class Session<What extends Watched> implements OpenConnection {
  readonly writer: ConnectionWriter;
  readonly services: SessionServices;
  readonly transport: Transport;
  protected readonly connection: ClientConnectionPort;
  protected readonly admission: Admission<What>;
  #notices: NoticeWatch | undefined;

  constructor(connection: ClientConnectionPort, services: SessionServices, transport: Transport) {
    this.transport = transport;
    this.connection = connection;
    this.services = services;
    this.admission = new Admission<What>(this, services);
    this.writer = new ConnectionWriter(connection, services.clock, services.deliveries.of(transport));
  }

  get id(): string {
    return this.connection.id;
  }

  abstract progresses(): boolean;

  /** Ends the connection, and with it everything that is watched over it. */
  close(code: CloseCode, reason: string): void {
    try {
      this.admission.leave(code);
    } finally {
      this.connection.close(code.code, reason);
    }
  }

  /** Ends the connection for a reason of the table. */
  refuse(refusal: Refusal): void {
    const { code, reason } = REFUSALS[refusal];
    this.noteRefused(refusal);
    try {
      this.admission.leave(code, refusal);
    } finally {
      this.close(code, reason);
    }
  }

  /** Notes a refusal that no answer over HTTP tells. */
  protected noteRefused(refusal: Refusal, token?: TokenCheck): void {
    const { type } = this.admission.state;
    const isAnswered = this.transport !== "websocket" && type !== "watching";
    if (type === "left" || isAnswered) return;
    this.services.refusals.note(refusal, { connection: this.id, transport: this.transport }, token);
  }

  tooSlow(): void {
    this.close(CLOSE_CODES.tooSlow, "more waits than may be kept");
  }

  /** A fault of the gateway: logs it and ends the connection, and no other one notices. Never throws. */
  failed(error: unknown): void {
    logFault(this.services.telemetry, this.id, error);
    try {
      this.refuse(refusalFor(error));
    } catch (again) {
      logFault(this.services.telemetry, this.id, again);
      this.services.connections.remove(this.id);
    }
  }

  /** The connection is gone, whichever side ended it. Idempotent. */
  closed(): void {
    this.writer.closed();
    this.admission.gone();
  }

  /** Sends `connection_established`, a second time if the history moved below a client that is already watching. */
  establish(resumed: boolean | null): void {
    const { state } = this.admission;
    if (state.type !== "watching") return;
    const { analysisId } = state.watched;
    this.writer.sendControl(
      connectionEstablished({ analysisId, connectionId: this.id, resumed }, this.services),
    );
  }

  /**
   * Prepares a connection that has entered. Resolves with the refusal if the connection left meanwhile, else in the turn
   * in which `begin` is to be called. Rejects with the errors of `SubscribeToAnalysis`.
   */
  protected async prepare(watched: What, request: WatcherRequest): Promise<Refusal | undefined> {
    const { userId, grant } = request;
    this.#notices = this.services.subscribe.notices({ userId, writer: this.writer, owner: this });
    this.admission.hold(watched);
    this.admission.hold(this.#notices);
    await Promise.all([watched.join(request), this.#notices.open()]);
    // Other viewers may have been declared while the replay was read.
    if (this.admission.begin(watched)) watched.mayGoOn(grant);
    const { state } = this.admission;
    return state.type === "left" ? state.refusal : undefined;
  }

  /** Says `connection_established`, then sends the replay and lets live events follow. */
  protected begin(
    watched: What,
    { keepsAlive, faults }: Pick<WatchQuery, "faults"> & { keepsAlive: Held },
  ): void {
    this.admission.hold(keepsAlive);
    this.establish(watched.resumed);
    countResume(this.services.telemetry, watched.resumed);
    for (const fault of faults) this.writer.sendControl(protocolError(fault, this.now));
    this.#notices?.begin();
    watched.begin();
  }

  /** Milliseconds since 1970. */
  protected get now(): number {
    return this.services.clock.now();
  }
}

/** A checked request: who watches, and how. */
export interface WatcherRequest extends WatchQuery {
  readonly userId: string;
  readonly grant: AccessGrant;
}

/** Everything that one connection watches, beside the notices that each connection gets. */
export interface Watched extends Held {
  /** Null on `/ws`, whose frames name the analyses. */
  readonly analysisId: AnalysisId | null;
  /** As `connection_established` says it; right in the turn in which `begin` is called. */
  readonly resumed: boolean | null;
  /** Resolves when `begin` may be called, or after it refused the session. Rejects if the broker is away. */
  join(query: WatchQuery): Promise<void>;
  /** Sends the replay and lets live events follow. */
  begin(): void;
  /** Whether the connection may go on with these rights; if not, it refused the session. */
  mayGoOn(grant: AccessGrant): boolean;
}
