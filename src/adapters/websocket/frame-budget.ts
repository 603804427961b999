/** The most protocol errors that are answered; the next one ends the connection. */
const MOST_ERRORS = 10;
/** The most tokens of one client that are still being looked at. */
const MOST_WAITING = 16;

/** What one client may still send: frames a second, protocol errors in all, and tokens that wait to be looked at. */
export class FrameBudget {
  readonly #framesPerSecond: number;
  #second = 0;
  #inSecond = 0;
  #errors = 0;
  #waiting = 0;

  /** `framesPerSecond` 0: no limit. */
  constructor(framesPerSecond: number) {
    this.#framesPerSecond = framesPerSecond;
  }

  mayTake(now: number): boolean {
    if (this.#framesPerSecond === 0) return true;
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#inSecond = 0;
    }
    return ++this.#inSecond <= this.#framesPerSecond;
  }

  mayErr(): boolean {
    return ++this.#errors <= MOST_ERRORS;
  }

  mayWait(): boolean {
    return ++this.#waiting <= MOST_WAITING;
  }

  answered(): void {
    this.#waiting--;
  }
}
