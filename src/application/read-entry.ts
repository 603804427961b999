import type { EncodedEvent } from "../domain/analysis-event.ts";
import { type ChannelName, parseChannel } from "../domain/channel.ts";
import {
  type DecodeContext,
  type DecodeFailure,
  decodeAddressedEvent,
  decodeEvent,
  NOT_UTF8,
  tooLarge,
} from "../domain/decode-event.ts";
import { addressedEndInPlaceOf, endInPlaceOf, type ShownText } from "../domain/refused-end.ts";
import { channelFault, deadLetterReason } from "./dead-letter-reason.ts";
import { idempotencyKey } from "./idempotency-key.ts";
import { INBOX, type InboxEntry, type UnreadableEntry } from "./ports/inbox-port.ts";
import type { AppendRequest } from "./ports/pub-sub-port.ts";

/** An entry of the inbox that is a dead letter. */
export interface RefusedEntry {
  readonly id: string;
  readonly key?: string | undefined;
  readonly channel: string;
  readonly payload: string;
  readonly reason: string;
}

/** An entry of the inbox that has an event to append. */
export interface AddressedEntry {
  readonly id: string;
  readonly key?: string | undefined;
  readonly payload: string;
  readonly request: AppendRequest;
  /** `bare`: the worker addressed a channel, as it does with a bare message. */
  readonly lane: "bare" | "inbox";
  /** The entry as a dead letter, if it is one. The request is then the end in its place. */
  readonly deadLetter?: RefusedEntry;
}

type ReadEntry =
  | ({ readonly type: "dead_letter" } & RefusedEntry)
  | ({ readonly type: "event" } & AddressedEntry);

/** The instant at which entries were taken, and what the broker takes of an event. */
type Taken = Required<Omit<DecodeContext, "channel">>;

/** Reads an entry. An entry that was addressed to a channel is judged as a bare message is, any other as it says itself. */
export function readEntry(entry: InboxEntry, taken: Taken): ReadEntry {
  const context = { ...taken, now: entry.addedAt ?? taken.now };
  return entry.channel === undefined ? readAddressed(entry, context) : readOn(entry.channel, entry, context);
}

/** Reads an entry whose event itself says which analysis it is of. */
function readAddressed(entry: InboxEntry, taken: Taken): ReadEntry {
  const decoded =
    entry.type === "event" ? decodeAddressedEvent(entry.event, taken) : faultOf(entry, taken.mostBytes);
  if (decoded.ok) return eventOf(entry, "inbox", decoded.channel, decoded.encoded);
  const deadLetter = deadLetterOf(entry, decoded.channel ?? INBOX, deadLetterReason(decoded));
  const end = addressedEndInPlaceOf(shownOf(entry), decoded, taken.now);
  return insteadOf(deadLetter, end && eventOf(entry, "inbox", end.channel, end.encoded));
}

function readOn(name: string, entry: InboxEntry, taken: Taken): ReadEntry {
  const channel = parseChannel(name);
  if (channel === undefined)
    return { type: "dead_letter", ...deadLetterOf(entry, name, `channel: ${channelFault(name)}`) };
  const context = { ...taken, channel };
  const decoded =
    entry.type === "event" ? decodeEvent(entry.event, context) : faultOf(entry, taken.mostBytes);
  if (decoded.ok) return eventOf(entry, "bare", channel, decoded.encoded);
  const end = endInPlaceOf(shownOf(entry), decoded, context);
  const deadLetter = deadLetterOf(entry, name, deadLetterReason(decoded));
  return insteadOf(deadLetter, end && eventOf(entry, "bare", channel, end));
}

/** The end in place of a refused entry, or the dead letter alone. */
function insteadOf(
  deadLetter: RefusedEntry,
  end: ({ readonly type: "event" } & AddressedEntry) | undefined,
): ReadEntry {
  return end === undefined ? { type: "dead_letter", ...deadLetter } : { ...end, deadLetter };
}

function deadLetterOf(entry: InboxEntry, channel: string, reason: string): RefusedEntry {
  return { id: entry.id, key: entry.key, channel, payload: shownOf(entry).text, reason };
}

function shownOf(entry: InboxEntry): ShownText {
  return entry.type === "event" ? { text: entry.event } : { text: entry.payload, tail: entry.tail };
}

/** The deduplication key is the entry and its own key, even if the event is the end in its place. */
function eventOf(
  entry: InboxEntry,
  lane: AddressedEntry["lane"],
  channel: ChannelName,
  event: EncodedEvent,
): { readonly type: "event" } & AddressedEntry {
  const { id, key } = entry;
  const deduplicate = {
    by: "entry",
    id,
    ...(key !== undefined && { named: idempotencyKey(key, "channel") }),
  } as const;
  const request: AppendRequest = { channel, events: [event], deduplicate };
  return { type: "event", id, key, payload: shownOf(entry).text, request, lane };
}

function faultOf(
  { fault }: UnreadableEntry,
  mostBytes: number,
): DecodeFailure & { readonly channel?: never } {
  switch (fault) {
    case "no_event":
      return {
        ok: false,
        reason: "invalid",
        issues: [{ path: ["entry"], message: "must have one field event" }],
      };
    case "garbled":
      return NOT_UTF8;
    case "too_large":
      return tooLarge(mostBytes);
  }
}
