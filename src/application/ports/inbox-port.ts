import type { ByteBudget } from "../../domain/byte-budget.ts";
import type { BrokerTrouble } from "../broker-trouble.ts";

/**
 * The inbox of workers: a list of entries that the broker keeps even while no gateway runs. Each entry is one event. A
 * broker that keeps the messages of the workers' plain channels gives them as entries as well.
 *
 * Several nodes may take the same entry. A node that takes one appends it under its id (`EntryKey`) and removes it only
 * then, so that it is stored once. docs/PROTOCOL.md has the rules in parentheses, and the contract suite of
 * `telltale/testing` holds each of them.
 *
 * Failures: `BrokerUnavailable` if nothing was done; `OutcomeUnknown` if nobody knows.
 */
export interface InboxPort {
  /** Whether the plain messages of the workers' channels are entries as well, so that none is lost while no gateway runs. */
  readonly takesWorkerChannels: boolean;

  /**
   * Resolves with the oldest entries, in order, and leaves them where they are (IB-1).
   *
   * A batch holds at most `INBOX_BATCH`, and is empty only if the inbox is (IB-5). While another node takes, it resolves
   * with how long to wait (IB-6).
   */
  take(): Promise<Taken>;

  /** Resolves if there is an entry, and after about a second in any case (IB-3). */
  arrival(): Promise<void>;

  /** Removes entries, whoever took them. Idempotent (IB-2). */
  remove(ids: readonly string[]): Promise<void>;

  /** Ends this node's lease, so that another node may take at once (IB-6). */
  release(): Promise<void>;

  /** Resolves with how many entries wait, and which has waited longest (IB-7). */
  backlog(): Promise<InboxBacklog>;

  /**
   * Orders two ids of entries: below 0 if the inbox holds `one` before `other`, above 0 if after, 0 if they are the same
   * (IB-8). An id is an opaque text to everybody else.
   */
  compareIds(one: string, other: string): number;

  /** Closes the connections and ends every wait for an arrival. Idempotent. */
  close(): Promise<void>;
}

/** Two nodes may hold the same batch at the same time: the lease behind `elsewhere` saves work and promises nothing. */
export type Taken =
  | { readonly type: "batch"; readonly entries: readonly InboxEntry[] }
  /** Another node takes. Ask again after so many milliseconds, a second at most. */
  | { readonly type: "elsewhere"; readonly againMs: number };

export type InboxEntry = InboxEvent | UnreadableEntry;

interface TakenEntry {
  readonly id: string;
  /** When the worker added the entry, in milliseconds since 1970; undefined if the broker does not know. */
  readonly addedAt: number | undefined;
  /** The key that the worker gave to its entry, so that a repeated entry counts once (IB-10); undefined if none, or an empty one. */
  readonly key?: string;
  /**
   * The channel that the worker addressed, as a bare message has it (`BareMessage.channel`); undefined if the event itself
   * must say which analysis it is of (IB-9).
   */
  readonly channel?: string;
}

export interface InboxEvent extends TakenEntry {
  readonly type: "event";
  readonly event: string;
}

/** An entry that is no single event (IB-4). */
export interface UnreadableEntry extends TakenEntry {
  readonly type: "unreadable";
  /** `no_event`: no event or several. `garbled`: no UTF-8. `too_large`: more bytes than an event may have. */
  readonly fault: "no_event" | "garbled" | "too_large";
  /** The first `SHOWN_BYTES` of the entry. */
  readonly payload: string;
  /** The last `SHOWN_BYTES` of it if `payload` is not all. It may begin with what is left of a character. */
  readonly tail?: string;
}

export interface InboxBacklog {
  readonly entries: number;
  /**
   * The entry that `take` gives first; undefined if there is none. `ageMs` says how long it has waited by the broker's
   * clock; undefined if the broker does not know when it was added.
   */
  readonly oldest: { readonly id: string; readonly ageMs: number | undefined } | undefined;
  /** Why workers can add nothing before the inbox is empty, if the broker knows. */
  readonly refuses?: BrokerTrouble;
}

/** The name of the inbox for workers and operators. A dead letter has it as its channel if its entry names none. */
export const INBOX = "telltale:inbox";
/** The field of an entry that has its key, on a broker whose entries have fields. */
export const ENTRY_KEY = "idempotency_key";
/** The most of one batch: enough to fill a connection, few enough to hold in memory. All fields of an entry count. */
export const INBOX_BATCH: ByteBudget = { items: 512, bytes: 4 * 1024 * 1024 };
/** The most bytes of an unreadable entry that are shown of its beginning, and as many of its end. */
export const SHOWN_BYTES = 64 * 1024;
/** How long the other nodes wait for a node that took and then says nothing, in milliseconds. */
export const LEASE_MS = 3_000;
/** How often they ask meanwhile, in milliseconds. */
export const ASK_AGAIN_MS = 500;
