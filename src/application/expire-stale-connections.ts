import { CLOSE_CODES, type CloseCode } from "../domain/close-code.ts";
import type { ConnectionRegistry } from "../domain/connection-registry.ts";
import { alone } from "./alone.ts";
import type { OpenConnections } from "./open-connections.ts";
import type { ClockPort } from "./ports/clock-port.ts";

/**
 * Ends connections that nothing was heard from for the heartbeat timeout and that took nothing of what waits for them
 * (4008), and those whose token ran out (4001). To be blocked is no sign of life. A sweep costs time in proportion to what expires, not to what is connected.
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
    // After a freeze of this process everybody seems silent: what they sent meanwhile has not been read yet.
    if (now - this.#lastSweep > this.#timeoutMs / 2) this.#silenceCountsFrom = now;
    this.#lastSweep = now;
    if (now - this.#silenceCountsFrom >= this.#timeoutMs) this.#endSilent(now);
    for (const id of [...this.#registry.tokensExpiredBy(now)])
      this.#end(id, CLOSE_CODES.unauthenticated, "token expired");
  }

  #endSilent(now: number): void {
    // Copied, since closing a connection changes the books that are being read.
    for (const id of [...this.#registry.expired(now, this.#timeoutMs)]) {
      if (this.#progresses(id)) this.#registry.heard(id, now);
      else this.#end(id, CLOSE_CODES.heartbeatTimeout, "nothing heard");
    }
  }

  /** A client that is still reading something long says nothing meanwhile. */
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
    // A dead peer never answers the closing handshake: its place is free from now on all the same.
    this.#connections.remove(id);
  }
}
