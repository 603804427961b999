import { Redis } from "ioredis";
import { eventually } from "../../src/testing/eventually.ts";
import { statusUpdate } from "./publishing.ts";

/**
 * A worker that publishes bare, on several analyses at once, and numbers what it says: what is kept must be 1, 2, 3 …
 * on each of them, each once.
 */
export class WorkerStream {
  readonly ids: readonly string[];
  /** Events on each analysis until now. */
  sent = 0;
  readonly #worker: Redis;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(url: string, analyses = 3) {
    this.ids = Array.from({ length: analyses }, () => crypto.randomUUID());
    this.#worker = new Redis(url);
  }

  /** One event on each analysis every so often. */
  start(everyMs = 5): void {
    this.#timer = setInterval(() => this.say(), everyMs);
  }

  say(): void {
    this.sent++;
    for (const id of this.ids) {
      void this.#worker.publish(`analysis:${id}`, JSON.stringify(statusUpdate({ message: `${this.sent}` })));
    }
  }

  /** Resolves when so many more were sent. */
  async more(count: number): Promise<void> {
    const until = this.sent + count;
    await eventually(`${count} more are sent`, async () => this.sent >= until);
  }

  /** Says one thing more, and resolves with what is kept of each analysis once that is. */
  async end(): Promise<readonly (readonly number[])[]> {
    clearInterval(this.#timer);
    this.say();
    await eventually("the last is kept", async () => {
      const kept = await this.#kept();
      return kept.every((numbers) => numbers.includes(this.sent));
    });
    return this.#kept();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#worker.disconnect();
  }

  /** All there should be. */
  get whole(): readonly number[] {
    return Array.from({ length: this.sent }, (_, index) => index + 1);
  }

  #kept(): Promise<number[][]> {
    return Promise.all(
      this.ids.map(async (id) => {
        const rows = await this.#worker.xrange(`telltale:{analysis:${id}}:history`, "-", "+");
        return rows.map(([, [, text = ""]]) => Number(JSON.parse(text).message));
      }),
    );
  }
}
