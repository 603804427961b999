import type { WorkerClock } from "./event-way.ts";

/** At most ten reports a second of one stage. */
export const REPORT_MS = 100;

/** Passes on the first item at once, then the latest one each tenth of a second. The last one is always passed on. */
export class ReportThrottle<Item> {
  readonly #clock: WorkerClock;
  readonly #pass: (item: Item) => void;
  #next = Number.NEGATIVE_INFINITY;
  #waiting: Item | undefined;
  #stop = () => {};

  constructor(clock: WorkerClock, pass: (item: Item) => void) {
    this.#clock = clock;
    this.#pass = pass;
  }

  offer(item: Item): void {
    const now = this.#clock.now();
    if (now >= this.#next) {
      this.#stop();
      this.#waiting = undefined;
      this.#next = now + REPORT_MS;
      this.#pass(item);
      return;
    }
    if (this.#waiting === undefined) this.#stop = this.#clock.after(this.#next - now, () => this.flush());
    this.#waiting = item;
  }

  /** Passes on what waits. */
  flush(): void {
    this.#stop();
    const item = this.#waiting;
    this.#waiting = undefined;
    if (item === undefined) return;
    this.#next = this.#clock.now() + REPORT_MS;
    this.#pass(item);
  }
}
