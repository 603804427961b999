import {
  kindOfStored,
  type PublishedEvent,
  positionOfText,
  type StoredKind,
  storedKindOf,
  utf8Length,
} from "telltale/adapter";
import type { CancelRequest } from "telltale/ports";

/**
 * A message of NOTIFY. PostgreSQL takes at most 7,999 bytes, so a larger text is left out, and the listener reads it.
 *
 * One character says which message it is; the name of a channel is written with its length before it. So an event is read
 * by slicing: no node parses JSON to pass it on.
 */
export type Notification =
  | { readonly type: "event"; readonly channel: string; readonly event: PublishedEvent }
  /** The event is too large to be carried. */
  | { readonly type: "stored"; readonly channel: string; readonly offset: number }
  /** `viewers` as they are kept; undefined if they are too large to be carried. */
  | { readonly type: "viewers"; readonly channel: string; readonly viewers: string | undefined }
  | { readonly type: "cancel"; readonly channel: string; readonly request: CancelRequest }
  | { readonly type: "probe"; readonly name: string }
  | { readonly type: "added" };

/** The payload of a notification. It is never larger than PostgreSQL takes. */
export function encode(notification: Notification): string {
  switch (notification.type) {
    case "event": {
      const { channel, event } = notification;
      const kind = KINDS.indexOf(storedKindOf(event.kind));
      const carried = `e${kind}${event.reopens ? 1 : 0}${named(channel)}${event.text}`;
      if (utf8Length(carried) <= MOST_BYTES) return carried;
      return encode({ type: "stored", channel, offset: event.position.offset });
    }
    case "stored":
      return `s${named(notification.channel)}${notification.offset}`;
    case "viewers": {
      const { channel, viewers } = notification;
      const carried = `v${named(channel)}${viewers ?? ""}`;
      return utf8Length(carried) <= MOST_BYTES ? carried : `v${named(channel)}`;
    }
    case "cancel":
      return `c${named(notification.channel)}${JSON.stringify(notification.request)}`;
    case "probe":
      return `p${notification.name}`;
    case "added":
      return "i";
  }
}

/** Reads a payload; undefined if it is none of ours, for anybody may NOTIFY. */
export function decode(payload: string): Notification | undefined {
  switch (payload[0]) {
    case "e": {
      const stored = KINDS[Number(payload[1])];
      const [channel, text] = unnamed(payload.slice(3));
      const position = positionOfText(text);
      if (stored === undefined || position === undefined) return undefined;
      const kind = kindOfStored(stored, text);
      return { type: "event", channel, event: { position, kind, reopens: payload[2] === "1", text } };
    }
    case "s": {
      const [channel, offset] = unnamed(payload.slice(1));
      return /^\d+$/.test(offset) ? { type: "stored", channel, offset: Number(offset) } : undefined;
    }
    case "v": {
      const [channel, viewers] = unnamed(payload.slice(1));
      return { type: "viewers", channel, viewers: viewers === "" ? undefined : viewers };
    }
    case "c": {
      const [channel, request] = unnamed(payload.slice(1));
      return { type: "cancel", channel, request: JSON.parse(request) };
    }
    case "p":
      return { type: "probe", name: payload.slice(1) };
    case "i":
      return { type: "added" };
    default:
      return undefined;
  }
}

const MOST_BYTES = 7_999;
const KINDS: readonly StoredKind[] = [
  "status",
  "status_completed",
  "status_failed",
  "result",
  "error",
  "notice",
];

function named(channel: string): string {
  return `${channel.length}:${channel}`;
}

function unnamed(text: string): [channel: string, rest: string] {
  const colon = text.indexOf(":");
  const end = colon + 1 + Number(text.slice(0, colon));
  return [text.slice(colon + 1, end), text.slice(end)];
}
