import { CLOSE_CODES, retryAfterReason } from "../domain/close-code.ts";
import { alone } from "./alone.ts";
import type { OpenConnection, OpenConnections } from "./open-connections.ts";
import type { ClockPort } from "./ports/clock-port.ts";

/** So few are no crowd: they are told in one turn. */
const SMALLEST_BATCH = 25;
const SHORTEST_PAUSE_MS = 50;
const SHORTEST_RETRY_MS = 500;
/** The clients come back over at least so long, once they are a crowd: no second has more than a quarter of them. */
const CROWD_RETURNS_MS = 4_000;
const CROWD = 200;
/** A large crowd comes back no faster than this: in milliseconds for each client. */
const MS_EACH = 1;

/**
 * Closes every connection with 1001, in batches. Each client gets its own time to come back, so that they reach the other
 * gateways one after the other.
 */
export class DrainConnections {
  readonly #connections: OpenConnections;
  readonly #clock: ClockPort;
  readonly #random: () => number;

  constructor(connections: OpenConnections, clock: ClockPort, random: () => number) {
    this.#connections = connections;
    this.#clock = clock;
    this.#random = random;
  }

  /** Admits nobody from now on. Resolves when every client was told to leave, which it spreads over `withinMs`. */
  async execute(withinMs: number): Promise<void> {
    this.#connections.stopAdmitting();
    const leaving = [...this.#connections.all()];
    const most = Math.max(1, Math.floor(withinMs / SHORTEST_PAUSE_MS));
    const batches = Math.min(most, Math.ceil(leaving.length / SMALLEST_BATCH));
    const size = Math.ceil(leaving.length / batches);
    const spreadMs = batches > 1 ? withinMs : 0;
    const began = this.#clock.now();
    for (let batch = 0; batch < batches; batch++) {
      const elapsedMs = (spreadMs * batch) / batches;
      // A timer may be late, and the clock of the machine may be set.
      if (batch > 0) await this.#pause(Math.min(began + elapsedMs - this.#clock.now(), spreadMs / batches));
      this.#tell(leaving, { from: batch * size, size, elapsedMs, spreadMs });
    }
  }

  /** Admits nobody from now on, and tells everybody at once. */
  tellNow(): void {
    this.#connections.stopAdmitting();
    const leaving = [...this.#connections.all()];
    this.#tell(leaving, { from: 0, size: leaving.length, elapsedMs: 0, spreadMs: 0 });
  }

  /** The clients come back in the order in which they are told, evenly over the time that all of them take. */
  #tell(leaving: readonly OpenConnection[], { from, size, elapsedMs, spreadMs }: Batch): void {
    const crowdMs = CROWD_RETURNS_MS * Math.min(1, leaving.length / CROWD);
    const returnsMs = Math.max(spreadMs, crowdMs, leaving.length * MS_EACH);
    for (const [place, connection] of leaving.slice(from, from + size).entries()) {
      const share = (from + place + this.#random()) / leaving.length;
      const retryMs = SHORTEST_RETRY_MS + Math.max(0, Math.floor(share * returnsMs - elapsedMs));
      alone(connection, () => connection.close(CLOSE_CODES.goingAway, retryAfterReason(retryMs)));
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(Math.max(0, milliseconds), resolve));
  }
}

/** A part of the clients that leave. `elapsedMs` of the `spreadMs` in which all are told are over. */
interface Batch {
  readonly from: number;
  readonly size: number;
  readonly elapsedMs: number;
  readonly spreadMs: number;
}
