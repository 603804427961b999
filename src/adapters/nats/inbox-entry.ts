import { isUtf8 } from "node:buffer";
import { type InboxEntry, SHOWN_BYTES } from "../../application/ports/inbox-port.ts";
import { MAX_EVENT_BYTES } from "../../domain/decode-event.ts";
import { firstBytes } from "../../domain/utf8.ts";
import { entryId } from "./entry-ids.ts";
import type { KeptMessage } from "./stream-batch.ts";
import { channelOfSubject } from "./worker-subjects.ts";

/** A message of the stream of workers as an entry. `creation` is the stream's, see `FoundStream`. */
export function inboxEntry(creation: string, message: KeptMessage): InboxEntry {
  const { subject, at, data } = message;
  const channel = channelOfSubject(subject);
  const taken = { id: idOf(creation, message), addedAt: at, ...(channel !== undefined && { channel }) };
  if (data.length > MAX_EVENT_BYTES) {
    return { ...taken, type: "unreadable", fault: "too_large", ...shown(data) };
  }
  // Read as text, different bytes would become the same characters.
  if (!isUtf8(data)) return { ...taken, type: "unreadable", fault: "garbled", ...shown(data) };
  return { ...taken, type: "event", event: textOf(data) };
}

/** The id of the entry that a message is. */
export function idOf(
  creation: string,
  { sequence, nanoseconds }: Pick<KeptMessage, "sequence" | "nanoseconds">,
): string {
  return entryId(creation, sequence, nanoseconds);
}

/** The longest character has four bytes. */
const REST_OF_CHARACTER = 3;

function shown(data: Uint8Array): { readonly payload: string; readonly tail?: string } {
  const payload = firstBytes(textOf(data.subarray(0, SHOWN_BYTES + REST_OF_CHARACTER)), SHOWN_BYTES);
  return data.length <= SHOWN_BYTES ? { payload } : { payload, tail: textOf(data.subarray(-SHOWN_BYTES)) };
}

function textOf(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}
