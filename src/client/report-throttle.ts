import type { WorkerClock } from "./event-way.ts";

/** At most ten reports a second of one stage. */
export const REPORT_MS = 100;

/** So many changes of the stage at once are told one by one; then as many as reports of one stage. */
const CHANGES = 10;

/**
 * Passes on the first item at once, then the latest one each tenth of a second. The last one of each stage is always passed on, unless
 * the stage changes more than ten times a second. The last one of all is always passed on.
 */
export class ReportThrottle<Item extends { readonly stage: string }> {
  readonly #clock: WorkerClock;
  readonly #pass: (item: Item) => void;
  #next = Number.NEGATIVE_INFINITY;
  #waiting: Item | undefined;
  #stop = () => {};
  #changes = CHANGES;
  #changedAt: number;

  constructor(clock: WorkerClock, pass: (item: Item) => void) {
    this.#clock = clock;
    this.#pass = pass;
    this.#changedAt = clock.now();
  }

  offer(item: Item): void {
    const now = this.#clock.now();
    if (this.#waiting !== undefined && this.#waiting.stage !== item.stage && this.#mayChange(now))
      this.flush();
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

  #mayChange(now: number): boolean {
    this.#changes = Math.min(CHANGES, this.#changes + Math.max(0, now - this.#changedAt) / REPORT_MS);
    this.#changedAt = now;
    if (this.#changes < 1) return false;
    this.#changes -= 1;
    return true;
  }
}
