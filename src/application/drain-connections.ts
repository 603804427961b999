import { CLOSE_CODES, retryAfterReason } from "../domain/close-code.ts";
import { alone } from "./alone.ts";
import type { OpenConnections } from "./open-connections.ts";
import type { ClockPort } from "./ports/clock-port.ts";

const BATCH = 500;
const BATCH_PAUSE_MS = 20;
const SHORTEST_RETRY_MS = 500;

/**
 * Closes every connection with 1001, in batches. Each client gets its own time to come back, so that they do not reach
 * another gateway all at once.
 */
export class DrainConnections {
  readonly #connections: OpenConnections;
  readonly #clock: ClockPort;
  readonly #drainMs: number;
  readonly #random: () => number;

  constructor(connections: OpenConnections, clock: ClockPort, drainMs: number, random: () => number) {
    this.#connections = connections;
    this.#clock = clock;
    this.#drainMs = drainMs;
    this.#random = random;
  }

  /** Resolves when every connection is gone, or after `withinMs`, the drain time if left out. */
  async execute(withinMs = this.#drainMs): Promise<"all_gone" | "time_is_up"> {
    this.#connections.stopAdmitting();
    if (this.#connections.size === 0) return "all_gone";
    let cancel = () => {};
    const timeIsUp = new Promise<"time_is_up">((resolve) => {
      cancel = this.#clock.after(withinMs, () => resolve("time_is_up"));
    });
    const spreadMs = SHORTEST_RETRY_MS + this.#connections.size;
    void this.#closeAll(spreadMs, withinMs);
    const outcome = await Promise.race([this.#connections.empty().then(() => "all_gone" as const), timeIsUp]);
    cancel();
    return outcome;
  }

  async #closeAll(spreadMs: number, withinMs: number): Promise<void> {
    let sent = 0;
    // A batch is large enough that all connections are closed in half the drain time.
    const batch = Math.max(BATCH, Math.ceil((this.#connections.size * 2 * BATCH_PAUSE_MS) / withinMs));
    for (const connection of [...this.#connections.all()]) {
      const retryMs = SHORTEST_RETRY_MS + Math.floor(this.#random() * spreadMs);
      alone(connection, () => connection.close(CLOSE_CODES.goingAway, retryAfterReason(retryMs)));
      if (++sent % batch === 0)
        await new Promise<void>((resolve) => this.#clock.after(BATCH_PAUSE_MS, resolve));
    }
  }
}
