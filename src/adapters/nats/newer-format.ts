import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { NewerFormat, reasonOf } from "../../application/errors.ts";
import type { OutageLog } from "../broker/outage-log.ts";

const SOURCE = "format";
const TROUBLE: BrokerTrouble = { cause: "newer_format" };

/** Knows whether a channel was met that a newer Telltale wrote. */
export class NewerFormatWatch {
  readonly #outages: OutageLog;
  /** Reads a channel, and rejects with `NewerFormat` if it is of a newer format. */
  readonly #read: (channel: string) => Promise<unknown>;
  #met: string | undefined;

  constructor(outages: OutageLog, read: (channel: string) => Promise<unknown>) {
    this.#outages = outages;
    this.#read = read;
  }

  get trouble(): BrokerTrouble | undefined {
    return this.#met === undefined ? undefined : TROUBLE;
  }

  /** Does the work on a channel, and notes if the channel is of a newer format. Rejects as the work does. */
  async during<Answer>(channel: string, work: () => Promise<Answer>): Promise<Answer> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof NewerFormat && this.#met === undefined) {
        this.#met = channel;
        this.#outages.report(SOURCE, TROUBLE, reasonOf(error));
      }
      throw error;
    }
  }

  /** Looks whether the channel that was met is still there. Rejects as a read does. */
  async lookAgain(): Promise<void> {
    if (this.#met === undefined) return;
    try {
      await this.#read(this.#met);
    } catch (error) {
      if (error instanceof NewerFormat) return;
      throw error;
    }
    this.#met = undefined;
    this.#outages.clear(SOURCE);
  }
}
