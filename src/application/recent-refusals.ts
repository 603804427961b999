import { parseChannel } from "../domain/channel.ts";
import type { DeadLetterPort } from "./ports/dead-letter-port.ts";

export interface Refusals {
  readonly count: number;
  /** The reason of the last one; empty if there is none. */
  readonly reason: string;
}

const NONE: Refusals = { count: 0, reason: "" };
const MOST_ANALYSES = 500;
const LONGEST_REASON = 300;

/**
 * How many events of each analysis this gateway refused, and why the last one. The demo page shows it, for its visitor sees
 * nothing of an analysis whose events are all refused. Kept in memory, for the 500 analyses last refused.
 */
export class RecentRefusals {
  readonly #byAnalysis = new Map<string, Refusals>();

  /** Leaves out a `channel` that names no analysis. */
  note(channel: string, reason: string): void {
    const [, id] = /^analysis:(.*)$/.exec(parseChannel(channel) ?? "") ?? [];
    if (id === undefined) return;
    const count = this.of(id).count + 1;
    this.#byAnalysis.delete(id);
    this.#byAnalysis.set(id, { count, reason: reason.slice(0, LONGEST_REASON) });
    const [oldest] = this.#byAnalysis.keys();
    if (oldest !== undefined && this.#byAnalysis.size > MOST_ANALYSES) this.#byAnalysis.delete(oldest);
  }

  of(analysisId: string): Refusals {
    return this.#byAnalysis.get(analysisId) ?? NONE;
  }
}

/** The same dead letters. Each one is noted once it was kept. */
export function notingRefusals(deadLetters: DeadLetterPort, refusals: RecentRefusals): DeadLetterPort {
  return {
    get trouble() {
      return deadLetters.trouble;
    },
    keep: async (deadLetter) => {
      await deadLetters.keep(deadLetter);
      refusals.note(deadLetter.channel, deadLetter.reason);
    },
    read: (from) => deadLetters.read(from),
    find: (id) => deadLetters.find(id),
    remove: (id) => deadLetters.remove(id),
    close: () => deadLetters.close(),
  };
}
