import { setTimeout as pause } from "node:timers/promises";

/** A server that goes away once all workers that are to see it are at work, and comes back. */
export class Outage {
  readonly #began = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<number>();
  readonly #strike: () => Promise<void>;
  readonly #lift: () => Promise<void>;
  readonly #seconds: number;
  #missing: number;

  constructor(
    { workers, seconds }: { readonly workers: number; readonly seconds: number },
    { strike, lift }: { readonly strike: () => Promise<void>; readonly lift: () => Promise<void> },
  ) {
    this.#missing = workers;
    this.#seconds = seconds;
    this.#strike = strike;
    this.#lift = lift;
    // Nobody may wait for it if all workers have failed before.
    this.#over.promise.catch(() => {});
    this.#began.promise.catch(() => {});
  }

  /** One worker more is at work, or will never be. Resolves when the server is away. */
  ready(): Promise<void> {
    this.#missing -= 1;
    if (this.#missing === 0) void this.#happen();
    return this.#began.promise;
  }

  /** Resolves when the server answers again with the time of that, in milliseconds since 1970. */
  get over(): Promise<number> {
    return this.#over.promise;
  }

  async #happen(): Promise<void> {
    try {
      await this.#strike();
      this.#began.resolve();
      await pause(this.#seconds * 1000);
      await this.#lift();
      this.#over.resolve(Date.now());
    } catch (error) {
      this.#began.reject(error);
      this.#over.reject(error);
    }
  }
}
