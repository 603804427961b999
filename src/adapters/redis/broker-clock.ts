/**
 * What Redis' clock shows, told from a clock of this process that is never set. The machine's own time is not
 * looked at: it may be an hour off, or be put right at any moment.
 */
export class BrokerClock {
  /** At least how far ahead Redis' clock is, in milliseconds; undefined where nobody knows. */
  #ahead: number | undefined;

  /** Milliseconds on the clock of this process. */
  now(): number {
    return performance.now();
  }

  /**
   * To be told what Redis' clock showed, in whole milliseconds rounded down, with when it was asked for and when the
   * answer came. Redis looked at it at some moment in between. Taken as the last one, the difference comes out too
   * small by at most the round trip, and never too large; what an earlier, quicker answer showed is kept for as long as
   * it agrees with the new one.
   */
  measured(broker: number, askedAt: number, answeredAt: number): void {
    const least = broker - answeredAt;
    const most = broker + 1 - askedAt;
    const agrees = this.#ahead !== undefined && this.#ahead >= least && this.#ahead <= most;
    if (!agrees) this.#ahead = least;
  }

  /** To be told when the connection is gone: the next one may lead to another server. */
  forget(): void {
    this.#ahead = undefined;
  }

  /** A time of this process on Redis' clock, as one that Redis surely shows by then; undefined where nobody knows. */
  atBroker(time: number): number | undefined {
    return this.#ahead === undefined ? undefined : Math.floor(time + this.#ahead);
  }
}
