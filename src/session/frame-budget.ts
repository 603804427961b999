/** How much of its rate a client may use at once, in seconds of it; a rate below the default allows one second of it. */
const BURST_SECONDS = 20;
const DEFAULT_RATE = 100;
/** The most protocol errors that are answered within `ERROR_WINDOW_MS`; the next one ends the connection. */
const MOST_ERRORS = 10;
const ERROR_WINDOW_MS = 60_000;
/** The most tokens of one client that are still being looked at. */
const MOST_WAITING = 16;

/**
 * What one client may still send: frames a second, control frames included, with bursts; protocol errors a minute; and
 * tokens that wait to be looked at. Times are milliseconds since 1970.
 */
export class FrameBudget {
  readonly #perSecond: number;
  readonly #burst: number;
  /** Frames that it may send now, as of `#refilledAt`. */
  #allowance: number;
  #refilledAt = 0;
  /** When the last errors were made, the oldest first. */
  readonly #errors: number[] = [];
  #waiting = 0;

  /** `framesPerSecond` 0: no limit. */
  constructor(framesPerSecond: number) {
    this.#perSecond = framesPerSecond;
    this.#burst = framesPerSecond < DEFAULT_RATE ? framesPerSecond : BURST_SECONDS * framesPerSecond;
    this.#allowance = this.#burst;
  }

  mayTake(now: number): boolean {
    if (this.#perSecond === 0) return true;
    const refill = (Math.max(0, now - this.#refilledAt) * this.#perSecond) / 1000;
    this.#allowance = Math.min(this.#burst, this.#allowance + refill);
    this.#refilledAt = now;
    if (this.#allowance < 1) return false;
    this.#allowance--;
    return true;
  }

  mayErr(now: number): boolean {
    while (this.#errors.length > 0 && now - (this.#errors[0] as number) >= ERROR_WINDOW_MS)
      this.#errors.shift();
    if (this.#errors.length >= MOST_ERRORS) return false;
    this.#errors.push(now);
    return true;
  }

  mayWait(): boolean {
    return ++this.#waiting <= MOST_WAITING;
  }

  answered(): void {
    this.#waiting--;
  }
}
