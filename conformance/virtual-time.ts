import { type Environment, runtime } from "../src/client/watch/environment.ts";
import { ManualClock } from "../src/testing/manual-clock.ts";

const STEP_SECONDS = 1;

/** The world of a client whose clock stands still but for what is skipped. */
export class VirtualTime {
  readonly #clock = new ManualClock(Date.now());
  readonly #awaited = new Set<Promise<unknown>>();
  readonly environment: Environment = {
    now: () => this.#clock.now(),
    after: (milliseconds, task) => this.#clock.after(milliseconds, task),
    random: Math.random,
    fetch: runtime.fetch,
    WebSocket: runtime.WebSocket,
    report: runtime.report,
  };

  /** The clock stands still until the promise has settled: its answer takes no time. */
  hold<Value>(promise: Promise<Value>): Promise<Value> {
    this.#awaited.add(promise);
    return promise.finally(() => this.#awaited.delete(promise));
  }

  /** In steps, so that what waits for a promise gets its turn between two timers. */
  async skip(seconds: number): Promise<void> {
    for (let left = seconds; left >= 0; left -= STEP_SECONDS) {
      this.#clock.advance(Math.min(left, STEP_SECONDS) * 1_000);
      await new Promise((resolve) => setImmediate(resolve));
      await Promise.allSettled(this.#awaited);
    }
  }
}
