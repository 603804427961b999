/**
 * What Redis' clock shows, told from a clock of this process that is never set. The machine's own time is not
 * looked at: it may be an hour off, or be put right at any moment.
 */
export class BrokerClock {
  /** At least how far ahead Redis' clock is, in milliseconds. */
  #ahead: number | undefined;

  /** Milliseconds on the clock of this process. */
  now(): number {
    return performance.now();
  }

  /**
   * To be given an answer of Redis' clock, in whole milliseconds rounded down, with when it was asked for and when it
   * came. Redis looked at its clock at some moment in between; taken as the last one, the difference comes out too
   * small by at most the round trip, and never too large.
   */
  measured(broker: number, answeredAt: number): void {
    this.#ahead = broker - answeredAt;
  }

  /** A time of this process on Redis' clock, as one that Redis surely shows by then; undefined before it was measured. */
  atBroker(time: number): number | undefined {
    return this.#ahead === undefined ? undefined : Math.floor(time + this.#ahead);
  }
}
