import type { ClockPort } from "../../application/ports/clock-port.ts";

/** How long failures are tolerated the first time, in milliseconds; it doubles up to the longest. */
interface Patience {
  readonly first: number;
  readonly longest: number;
}

/** Failures that lie further apart than this do not count together, in milliseconds. */
const FORGOTTEN_MS = 10_000;

/** Measures for how long a connection has done nothing but fail. */
export class RepeatedFailures {
  readonly #clock: ClockPort;
  readonly #patience: Patience;
  #bears: number;
  #since = 0;
  #last = Number.NEGATIVE_INFINITY;

  constructor(clock: ClockPort, patience: Patience) {
    this.#clock = clock;
    this.#patience = patience;
    this.#bears = patience.first;
  }

  /** Call it for each failure. Answers whether the connection should be given up; then the next one gets longer. */
  areTooMany(): boolean {
    const now = this.#clock.now();
    if (now - this.#last > FORGOTTEN_MS) this.#since = now;
    this.#last = now;
    if (now - this.#since < this.#bears) return false;
    this.#since = now;
    this.#bears = Math.min(2 * this.#bears, this.#patience.longest);
    return true;
  }

  /** Call it when anything succeeded. */
  end(): void {
    this.#last = Number.NEGATIVE_INFINITY;
    this.#bears = this.#patience.first;
  }
}

/** Without a pause the attempts starve the event loop they need. */
const PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 1_000;
/** Connections that are given up within this time of each other count as a row. */
const IN_A_ROW_MS = 10_000;

/** Says how long to wait before a connection is made: longer if those before failed, or were soon given up. */
export class RetryPauses {
  readonly #clock: ClockPort;
  #inARow = 0;
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(clock: ClockPort) {
    this.#clock = clock;
  }

  /** Call it when a connection that was made is given up. */
  givenUp(): void {
    const now = this.#clock.now();
    if (now - this.#lastAt > IN_A_ROW_MS) this.#inARow = 0;
    this.#inARow++;
    this.#lastAt = now;
  }

  /** Gives the milliseconds to wait after so many attempts in a row at one connection. */
  after(attempts: number): number {
    return Math.min(PAUSE_MS * Math.max(attempts, this.#inARow), LONGEST_PAUSE_MS);
  }
}
