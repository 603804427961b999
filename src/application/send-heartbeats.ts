import { alone, type FailsAlone } from "./alone.ts";
import { DueQueue } from "./due-queue.ts";
import type { ClockPort } from "./ports/clock-port.ts";

/** A connection that gets heartbeats. */
export interface HeartbeatConnection extends FailsAlone {
  /** The time of the last frame that was sent on it, in milliseconds since 1970. */
  readonly lastSentAt: number;
  /** Sends a ping frame, which browser code never sees. */
  ping(): void;
  /** Sends the `heartbeat` event that browser code can see. */
  sendHeartbeat(): void;
}

/**
 * Sends a ping frame to every connection each interval, busy or not. A connection on which nothing was sent for an interval
 * gets a `heartbeat` event as well, since browser code cannot see ping frames.
 */
export class SendHeartbeats {
  readonly #clock: ClockPort;
  readonly #intervalMs: number;
  readonly #pings: DueQueue<HeartbeatConnection>;
  readonly #silences: DueQueue<HeartbeatConnection>;

  constructor(clock: ClockPort, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    const granularityMs = Math.max(1, Math.min(250, intervalMs / 10));
    this.#pings = new DueQueue(granularityMs, clock.now());
    this.#silences = new DueQueue(granularityMs, clock.now());
  }

  begin(connection: HeartbeatConnection): void {
    const due = this.#clock.now() + this.#intervalMs;
    this.#pings.schedule(connection, due);
    this.#silences.schedule(connection, due);
  }

  end(connection: HeartbeatConnection): void {
    this.#pings.remove(connection);
    this.#silences.remove(connection);
  }

  execute(): void {
    const now = this.#clock.now();
    for (const connection of this.#pings.take(now)) {
      if (!alone(connection, ping)) continue;
      this.#pings.schedule(connection, now + this.#intervalMs);
    }
    for (const connection of this.#silences.take(now)) {
      // Sending a frame does not reschedule, so that it costs nothing. A connection that was busy comes again later.
      const isDue = connection.lastSentAt + this.#intervalMs <= now;
      if (isDue && !alone(connection, sendHeartbeat)) continue;
      this.#silences.schedule(
        connection,
        Math.max(connection.lastSentAt, now - this.#intervalMs + 1) + this.#intervalMs,
      );
    }
  }
}

const ping = (connection: HeartbeatConnection) => connection.ping();
const sendHeartbeat = (connection: HeartbeatConnection) => connection.sendHeartbeat();
