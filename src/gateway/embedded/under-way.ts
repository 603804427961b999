/** Counts the requests that wait for their answer. */
export class UnderWay {
  readonly #waiting: (() => void)[] = [];
  #count = 0;

  /** Counts `answer` until it settles, and answers what it answers. */
  async add<Answer>(answer: () => Promise<Answer>): Promise<Answer> {
    this.#count++;
    try {
      return await answer();
    } finally {
      if (--this.#count === 0) for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }

  /** Resolves when none waits. */
  async none(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
