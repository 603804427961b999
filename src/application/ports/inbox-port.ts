/** Where workers add events that are kept even while no gateway runs. */
export const INBOX = "telltale:inbox";

/**
 * The inbox of workers: a list of entries, each an event of its own, oldest first. Nothing here keeps an entry from being
 * taken twice: whoever takes one appends it under its id (`SeenByEntry`) and removes it only then.
 *
 * Failures: `BrokerUnavailable` where nothing was done; `OutcomeUnknown` where that is not known.
 */
export interface InboxPort {
  /** The oldest entries, which stay where they are; or that another node is at work on them. */
  take(): Promise<Taken>;
  /** Resolves when there is an entry, and after about a second in any case. */
  arrival(): Promise<void>;
  /** Idempotent. */
  remove(ids: readonly string[]): Promise<void>;
  /** Lets another node take at once. */
  release(): Promise<void>;
  backlog(): Promise<InboxBacklog>;
  close(): Promise<void>;
}

/** Two nodes may hold a lot at the same time: the lease behind `elsewhere` saves work and promises nothing. */
export type Taken =
  /** In order, bounded in number and bytes; empty where the inbox is. */
  | { readonly type: "lot"; readonly entries: readonly InboxEntry[] }
  /** To be asked again after so many milliseconds, a second at most. */
  | { readonly type: "elsewhere"; readonly againMs: number };

export type InboxEntry = InboxEvent | UnreadableEntry;

export interface InboxEvent {
  readonly type: "event";
  /** `milliseconds-sequence`, rising. */
  readonly id: string;
  readonly event: string;
}

export interface UnreadableEntry {
  readonly type: "unreadable";
  readonly id: string;
  /** No field `event`, or several; no UTF-8; more bytes than an event may have. */
  readonly fault: "no_event" | "garbled" | "too_large";
  /** At least the first 64 KiB of it. */
  readonly payload: string;
  /** The last 64 KiB of it if `payload` is not all; a character that was cut may stand at its start. */
  readonly tail?: string;
}

export interface InboxBacklog {
  readonly entries: number;
  /** Undefined where there is none. */
  readonly oldest: { readonly id: string; readonly ageMs: number } | undefined;
}
