/**
 * Asks one question for many callers. Callers that come while an answer is out share the next one, so every answer was
 * worked out after it was asked for.
 */
export class SharedAnswer<Answer> {
  readonly #ask: () => Promise<Answer>;
  #out: Promise<unknown> | undefined;
  #next: Promise<Answer> | undefined;

  constructor(ask: () => Promise<Answer>) {
    this.#ask = ask;
  }

  /** Rejects as the question does. */
  get(): Promise<Answer> {
    this.#next ??= this.#askAfter(this.#out);
    return this.#next;
  }

  async #askAfter(out: Promise<unknown> | undefined): Promise<Answer> {
    // The callers that wait for the answer before hear of its failure.
    await out?.catch(() => undefined);
    const answer = this.#ask();
    this.#out = answer;
    this.#next = undefined;
    try {
      return await answer;
    } finally {
      if (this.#out === answer) this.#out = undefined;
    }
  }
}
