import type { EncodedEvent } from "../domain/analysis-event.ts";
import type { AnalysisChannel } from "../domain/channel.ts";
import {
  type AddressedEvent,
  type DecodeFailure,
  decodeAddressedEvent,
  NOT_UTF8,
  TOO_LARGE,
} from "../domain/decode-event.ts";
import { addressedEndInPlaceOf } from "../domain/refused-end.ts";
import { deadLetterReason } from "./dead-letter-reason.ts";
import { INBOX, type InboxEntry, type UnreadableEntry } from "./ports/inbox-port.ts";
import type { AppendRequest } from "./ports/pub-sub-port.ts";

/** An entry of the inbox that is a dead letter. */
export interface RefusedEntry {
  readonly id: string;
  readonly channel: string;
  readonly payload: string;
  readonly reason: string;
}

/** An entry of the inbox that has an event to append. */
export interface AddressedEntry {
  readonly id: string;
  readonly payload: string;
  readonly request: AppendRequest & { readonly channel: AnalysisChannel };
  /** The entry as a dead letter, if it is one. The request is then the end in its place. */
  readonly deadLetter?: RefusedEntry;
}

/** Reads an entry that was taken at `now`, in milliseconds since 1970. */
export function readEntry(
  entry: InboxEntry,
  now: number,
): ({ readonly type: "dead_letter" } & RefusedEntry) | ({ readonly type: "event" } & AddressedEntry) {
  const { id } = entry;
  const at = entry.addedAt ?? now;
  const payload = entry.type === "event" ? entry.event : entry.payload;
  const decoded: AddressedEvent =
    entry.type === "event" ? decodeAddressedEvent(payload, at) : FAULTS[entry.fault];
  if (decoded.ok) {
    return { type: "event", id, payload, request: requestOf(id, decoded.channel, decoded.encoded) };
  }
  const deadLetter = { id, channel: decoded.channel ?? INBOX, payload, reason: deadLetterReason(decoded) };
  const end = addressedEndInPlaceOf({ text: payload, tail: tailOf(entry) }, decoded, at);
  if (end === undefined) return { type: "dead_letter", ...deadLetter };
  return { type: "event", id, payload, request: requestOf(id, end.channel, end.encoded), deadLetter };
}

function tailOf(entry: InboxEntry): string | undefined {
  return entry.type === "unreadable" ? entry.tail : undefined;
}

/** The deduplication key is the entry, even if the event is the end in its place. */
function requestOf(id: string, channel: AnalysisChannel, event: EncodedEvent): AddressedEntry["request"] {
  return { channel, events: [event], deduplicate: { by: "entry", id } };
}

const FAULTS: Readonly<Record<UnreadableEntry["fault"], DecodeFailure>> = {
  no_event: {
    ok: false,
    reason: "invalid",
    issues: [{ path: ["entry"], message: "must have one field event" }],
  },
  garbled: NOT_UTF8,
  too_large: TOO_LARGE,
};
