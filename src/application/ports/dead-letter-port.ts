/** Bytes of UTF-8 that are kept of a payload, cut between characters. */
export const DEAD_LETTER_BYTES = 64 * 1024;

/** What could not be delivered, as it is kept. */
export interface KeptDeadLetter {
  readonly id: string;
  /** Where it came in: the channel of an analysis or of notices, or the inbox. */
  readonly channel: string;
  /** Its first 64 KiB. */
  readonly payload: string;
  readonly reason: string;
  /** When it was kept, ISO 8601. */
  readonly at: string;
}

/** The dead letters, for those who look after them. Fails with `BrokerUnavailable` or `OutcomeUnknown`. */
export interface DeadLetterPort {
  /** All of them, page by page; what is removed or added meanwhile may or may not be among them. */
  read(from: "oldest" | "newest"): AsyncIterable<KeptDeadLetter>;
  find(id: string): Promise<KeptDeadLetter | undefined>;
  /** False where there was none. */
  remove(id: string): Promise<boolean>;
  close(): Promise<void>;
}
