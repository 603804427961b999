/** Runs tasks one at a time within a lane, in the order given; lanes run beside each other. An idle lane takes no memory. */
export class Lanes {
  readonly #tails = new Map<string, Promise<void>>();

  /** Lanes with a task running or waiting. */
  get busy(): number {
    return this.#tails.size;
  }

  /** Settles as the task does. A task that fails holds up nothing behind it. */
  run<Outcome>(lane: string, task: () => Promise<Outcome>): Promise<Outcome> {
    const outcome = (this.#tails.get(lane) ?? Promise.resolve()).then(task);
    const settled = () => {
      if (this.#tails.get(lane) === tail) this.#tails.delete(lane);
    };
    // The caller that awaits the outcome gets the failure; the lane only needs to know that the task is over.
    const tail = outcome.then(settled, settled);
    this.#tails.set(lane, tail);
    return outcome;
  }
}
