import { DueQueue } from "./due-queue.ts";
import type { OpenConnection } from "./open-connections.ts";
import type { ClockPort } from "./ports/clock-port.ts";

/**
 * A ping frame to every connection each interval, busy or not; and a `heartbeat` event to each that was sent nothing
 * for that long, since browser code cannot see ping frames.
 */
export class SendHeartbeats {
  readonly #clock: ClockPort;
  readonly #intervalMs: number;
  readonly #pings: DueQueue<OpenConnection>;
  readonly #silences: DueQueue<OpenConnection>;

  constructor(clock: ClockPort, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    const granularityMs = Math.max(1, Math.min(250, intervalMs / 10));
    this.#pings = new DueQueue(granularityMs, clock.now());
    this.#silences = new DueQueue(granularityMs, clock.now());
  }

  begin(connection: OpenConnection): void {
    const due = this.#clock.now() + this.#intervalMs;
    this.#pings.schedule(connection, due);
    this.#silences.schedule(connection, due);
  }

  end(connection: OpenConnection): void {
    this.#pings.remove(connection);
    this.#silences.remove(connection);
  }

  execute(): void {
    const now = this.#clock.now();
    for (const connection of this.#pings.take(now)) {
      connection.outlet.connection.ping();
      this.#pings.schedule(connection, now + this.#intervalMs);
    }
    for (const connection of this.#silences.take(now)) {
      // Sending leaves no trace here, so that it costs nothing: who was sent something meanwhile comes again later.
      if (connection.outlet.lastSentAt + this.#intervalMs <= now) connection.sendHeartbeat();
      this.#silences.schedule(
        connection,
        Math.max(connection.outlet.lastSentAt, now - this.#intervalMs + 1) + this.#intervalMs,
      );
    }
  }
}
