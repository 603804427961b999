import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerError } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";

/** A dead letter that is refused is tried again every second or so, and given up at last: then nobody knows any more. */
const LASTS_MS = 10_000;

/** Remembers that a permission was missing the last time it was needed, as long as that says anything. */
export class LastingDenial {
  readonly #clock: ClockPort;
  #last: { readonly trouble: BrokerTrouble; readonly at: number } | undefined;

  constructor(clock: ClockPort) {
    this.#clock = clock;
  }

  get trouble(): BrokerTrouble | undefined {
    const last = this.#last;
    return last !== undefined && this.#clock.now() - last.at < LASTS_MS ? last.trouble : undefined;
  }

  /** Settles as `work` does. */
  async watch<Answer>(work: Promise<Answer>): Promise<Answer> {
    try {
      const answer = await work;
      this.#last = undefined;
      return answer;
    } catch (error) {
      const trouble = error instanceof BrokerError ? error.trouble : undefined;
      if (trouble?.cause === "permission") this.#last = { trouble, at: this.#clock.now() };
      throw error;
    }
  }
}
