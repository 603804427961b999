import { BrokerUnavailable } from "../../application/errors.ts";
import { BrokerClock } from "../broker/broker-clock.ts";

/** The clock of the NATS that the gateway is connected to. Times are milliseconds. */
export class NatsClock {
  readonly #clock = new BrokerClock();

  get isKnown(): boolean {
    return this.#clock.atBroker(0) !== undefined;
  }

  /** A time that the broker's clock shows at least; if nobody knows, the time of this machine. */
  now(): number {
    return this.#clock.atBroker(this.#clock.now()) ?? Date.now();
  }

  /** A time that the broker's clock shows at most; if nobody knows, the time of this machine. */
  atMost(): number {
    return this.#clock.atMost(this.#clock.now()) ?? Date.now();
  }

  /** How many milliseconds ago the broker's clock most likely showed `time`, never less than 0; undefined if nobody knows. */
  since(time: number): number | undefined {
    const now = this.#clock.about(this.#clock.now());
    return now === undefined || Number.isNaN(time) ? undefined : Math.max(0, now - time);
  }

  /** The time of the broker's clock that it shows for sure in so many milliseconds. Throws if nobody knows it. */
  deadlineIn(milliseconds: number): number {
    const deadline = this.#clock.atBroker(this.#clock.now() + milliseconds);
    if (deadline !== undefined) return deadline;
    throw new BrokerUnavailable("the clock of NATS is not known yet", { trouble: { cause: "connecting" } });
  }

  /** Milliseconds until the broker's clock has surely come to `time`; 0 if it has. */
  until(time: number): number {
    return Math.max(0, time + 1 - this.now());
  }

  /** Call it with the time at which NATS stored something, and when that was sent and answered by `stopwatch`. */
  measured(stored: number, sentAt: number, answeredAt: number): void {
    this.#clock.measured(stored, sentAt, answeredAt);
  }

  /** Milliseconds on the clock of this process, which is never set. */
  stopwatch(): number {
    return this.#clock.now();
  }

  /** Call it when the connection is gone: the next one may lead to another server. */
  forget(): void {
    this.#clock.forget();
  }
}
