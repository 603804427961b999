/** The sequence that a message expects if it is to be looked up by its id, and never stored. */
export const NEVER = Number.MAX_SAFE_INTEGER;

/** A message as the stream holds it. */
export interface StoredMessage {
  readonly sequence: number;
  readonly subject: string;
  /** When the stream stored it, in whole milliseconds since 1970 by the broker's clock, rounded down. */
  readonly at: number;
  readonly text: string;
}

export interface Publication {
  readonly subject: string;
  readonly text: string;
  /** The sequence of the last message that the subject must have for this one to be stored; 0: it must have none. */
  readonly expected: number;
  /** A message with an id that the stream has had within its duplicate window is not stored again. */
  readonly id?: string | undefined;
  /** Milliseconds since 1970 on the broker's clock. */
  readonly deadline: number;
}

export type PublicationAnswer =
  /** `isInTime`: surely before its deadline. Otherwise the time at which it was stored tells. */
  | { readonly type: "stored"; readonly sequence: number; readonly isInTime: boolean }
  /** The message that had the id before lies, or lay, at this sequence. */
  | { readonly type: "duplicate"; readonly sequence: number }
  /** The subject has another last message than the expected one. Nothing was stored. */
  | { readonly type: "conflict" };

export interface RangeTerms {
  /** The first sequence. */
  readonly from: number;
  /** The leader is asked, which lacks nothing, one message at a time. Default: false. */
  readonly fromLeader?: boolean;
}

/**
 * The stream of all events, as the heart of the event log needs it: subjects of which each is a chain of messages. Reads
 * reject with `BrokerUnavailable`. `publish` rejects with `BrokerUnavailable` if nothing was stored nor will be, and with
 * `OutcomeUnknown` at or after the deadline.
 */
export interface EventStream {
  /** The history that the server is on now: another one whenever it may have lost messages, or got others in their place. */
  readonly lineage: string;
  /** Asks for the lineage again, if another node may have begun it. */
  refreshLineage(): Promise<void>;
  /** Milliseconds since 1970 that the broker's clock shows at least. */
  now(): number;
  last(subject: string): Promise<StoredMessage | undefined>;
  at(sequence: number): Promise<StoredMessage | undefined>;
  /** The first message of the subject at this sequence or after it. */
  from(subject: string, sequence: number): Promise<StoredMessage | undefined>;
  /**
   * Hands over the messages of the subject, in order, until the stream has no more by now or `take` answers false. If several
   * servers keep the stream, any of them may be asked: one that lags behind lacks messages.
   */
  range(subject: string, terms: RangeTerms, take: (message: StoredMessage) => boolean): Promise<void>;
  /** `lineage` is the one that the publication was made for: on another one nothing is sent. */
  publish(publication: Publication, lineage: string): Promise<PublicationAnswer>;
  /** Removes the messages of the subject that lie before this sequence. */
  removeBefore(subject: string, sequence: number): Promise<void>;
}
