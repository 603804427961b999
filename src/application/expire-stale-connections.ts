import { CLOSE_CODES, type CloseCode } from "../domain/close-code.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";
import { alone } from "./alone.ts";
import type { OpenConnections } from "./open-connections.ts";
import type { ClockPort } from "./ports/clock-port.ts";

/**
 * Ends silent connections with 4008: the client sent nothing for the heartbeat timeout and took nothing of the frames that
 * wait for it. Ends connections whose token expired with 4001. The time of a sweep grows with the number of connections
 * that expire, not with the number of all.
 */
export class ExpireStaleConnections {
  readonly #registry: ConnectionRegistry;
  readonly #connections: OpenConnections;
  readonly #clock: ClockPort;
  readonly #timeoutMs: number;
  #lastSweep: number;
  #silenceCountsFrom = 0;

  constructor(
    registry: ConnectionRegistry,
    connections: OpenConnections,
    clock: ClockPort,
    timeoutMs: number,
  ) {
    this.#registry = registry;
    this.#connections = connections;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#lastSweep = clock.now();
  }

  /** To be called several times in a heartbeat timeout. */
  execute(): void {
    const now = this.#clock.now();
    // After a freeze of this process every client seems silent, because it has not read yet what they sent.
    if (now - this.#lastSweep > this.#timeoutMs / 2) this.#silenceCountsFrom = now;
    this.#lastSweep = now;
    if (now - this.#silenceCountsFrom >= this.#timeoutMs) this.#endSilent(now);
    for (const id of [...this.#registry.tokensExpiredBy(now)])
      this.#end(id, CLOSE_CODES.unauthenticated, "token expired");
  }

  #endSilent(now: number): void {
    // Copied, since closing a connection changes the registry.
    for (const id of [...this.#registry.expired(now, this.#timeoutMs)]) {
      if (this.#progresses(id)) this.#registry.heard(id, now);
      else this.#end(id, CLOSE_CODES.heartbeatTimeout, "nothing heard");
    }
  }

  /** Whether the client still takes frames: while it reads a long one, it sends nothing. */
  #progresses(id: string): boolean {
    const connection = this.#connections.find(id);
    let progresses = false;
    if (connection !== undefined)
      alone(connection, () => {
        progresses = connection.progresses();
      });
    return progresses;
  }

  #end(id: string, code: CloseCode, reason: string): void {
    const connection = this.#connections.find(id);
    if (connection !== undefined) alone(connection, () => connection.close(code, reason));
    // A dead peer never answers the closing handshake, so it is not counted from now on.
    this.#connections.remove(id);
  }
}
