import type { AppendedOccurrence } from "../../domain/occurrence.ts";

/**
 * How the broker recognises a request that it was given before.
 *
 * Every broker recognises a `key`. A broker recognises an `occurrence` if its bundle has worker channels, and an `entry`
 * if its bundle has an inbox.
 */
export type DeduplicationKey = RequestKey | OccurrenceKey | EntryKey;

/** The name that a publisher gave to its request: an idempotency key. All times are the broker's, in milliseconds. */
export interface RequestKey {
  readonly by: "key";
  readonly name: string;
  /** `channel`: one name space for each channel, gone with its counter. `notices`: one over all notice channels. */
  readonly scope: "channel" | "notices";
  /** A request is a duplicate only within this time of the first one (PS-9). */
  readonly windowMs: number;
  /** The broker remembers the name for so long, so that a later request may ask with a wider window (PS-10). */
  readonly rememberMs: number;
}

/**
 * A bare message, recognised by its place among the messages of the same bytes (PS-33).
 *
 * The broker recognises a message that it refused as well (PS-35). It remembers messages per channel, and forgets them
 * with the channel's counter.
 */
export interface OccurrenceKey extends AppendedOccurrence {
  readonly by: "occurrence";
}

/**
 * An entry of the inbox. It is a duplicate if this entry or a later one was stored on the channel (PS-28).
 *
 * `InboxPort.compareIds` of the same bundle says which of two entries is the later one. If the inbox lost its newest entries
 * and gives their places again, an entry that came after that is later than those that were lost. The broker remembers the last
 * entry for as long as the channel has its counter.
 */
export interface EntryKey {
  readonly by: "entry";
  /** The id of the entry, as the inbox gave it. */
  readonly id: string;
  /**
   * The name that the worker gave to its event, of scope `channel`: the entry is a duplicate of a request of this name as
   * well, and counts as the last one stored then (PS-44). Only an inbox whose entries have keys makes such a request.
   */
  readonly named?: RequestKey;
}
