/**
 * Tells the time of the broker's clock from a clock of this process that is never set. It ignores the machine's own time,
 * which may be an hour off, or be put right at any moment.
 */
export class BrokerClock {
  /** How far the broker's clock is ahead at least, in milliseconds; undefined if nobody knows. */
  #ahead: number | undefined;
  /** How much further ahead it may be, in milliseconds. */
  #width = 0;

  /** Milliseconds on the clock of this process. */
  now(): number {
    return performance.now();
  }

  /**
   * Call it with the time of the broker's clock in whole milliseconds, rounded down, with when it was asked for and when
   * the answer came. The broker looked at its clock at some moment in between. The difference is taken as of the last one:
   * it comes out too small by at most the round trip, and never too large. An earlier, quicker answer counts as long as the
   * new one does not contradict it.
   */
  measured(broker: number, askedAt: number, answeredAt: number): void {
    const least = broker - answeredAt;
    const most = broker + 1 - askedAt;
    const agrees = this.#ahead !== undefined && this.#ahead >= least && this.#ahead <= most;
    if (agrees) return;
    this.#ahead = least;
    this.#width = most - least;
  }

  /** Call it when the connection is gone: the next one may lead to another server. */
  forget(): void {
    this.#ahead = undefined;
  }

  /** Gives a time of this process as one that the broker's clock surely shows by then; undefined if nobody knows. */
  atBroker(time: number): number | undefined {
    return this.#ahead === undefined ? undefined : Math.floor(time + this.#ahead);
  }

  /** Gives the time that the broker's clock most likely shows at a time of this process; undefined if nobody knows. */
  about(time: number): number | undefined {
    return this.#ahead === undefined ? undefined : time + this.#ahead + this.#width / 2;
  }

  /** Gives the time that the broker's clock shows at most at a time of this process; undefined if nobody knows. */
  atMost(time: number): number | undefined {
    return this.#ahead === undefined ? undefined : Math.ceil(time + this.#ahead + this.#width);
  }
}
