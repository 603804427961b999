/**
 * The place of an event on its channel: the epoch of the history that numbered it, and its offset there.
 * Clients see it as an opaque `event_id`; `"0"` is the position before the first event.
 */
export interface EventPosition {
  readonly epoch: string;
  readonly offset: number;
}

/** One stretch of a history: every kept event from `firstOffset` on belongs to `epoch`, until the next stretch. */
export interface EpochSpan {
  readonly epoch: string;
  readonly firstOffset: number;
}

export function formatEventId(position: EventPosition): string {
  return position.offset === 0 ? "0" : `${position.epoch}-${position.offset}`;
}

/**
 * Reads an `event_id`. `"0"` is the beginning (offset 0, no epoch); undefined if the text is no event_id,
 * which a caller treats like a position that is gone.
 */
export function parseEventId(text: string): EventPosition | undefined {
  if (text === "0") return { epoch: "", offset: 0 };
  const match = /^([0-9a-z]{1,32})-([1-9][0-9]{0,15})$/.exec(text);
  if (match === null) return undefined;
  const offset = Number(match[2]);
  return Number.isSafeInteger(offset) ? { epoch: match[1] as string, offset } : undefined;
}

/** A position as a client gave it; `unreadable` is a text that cannot be one of ours, hence a position that is gone. */
export type GivenPosition = EventPosition | "unreadable";

/** Reads the position that a client gave. An empty one counts as none. */
export function readPosition(text: string | null | undefined): GivenPosition | undefined {
  return text ? (parseEventId(text) ?? "unreadable") : undefined;
}

/** The kept part of a history: the offsets of its oldest and newest events, and the epochs that they belong to. */
export interface KeptHistory {
  /** One more than `newest` if nothing is kept. */
  readonly oldestKept: number;
  readonly newest: number;
  readonly spans: readonly EpochSpan[];
}

/**
 * Whether everything after `position` is still kept on this history: its offset lies between the one just before
 * the oldest kept event and the newest, and belongs to the epoch it names.
 */
export function isOnHistory(position: EventPosition, history: KeptHistory): boolean {
  if (position.offset === 0) return history.oldestKept <= 1;
  if (position.offset > history.newest || position.offset < history.oldestKept - 1) return false;
  return epochAt(position.offset, history.spans) === position.epoch;
}

/**
 * The last position that the histories of `position` and of `kept` have in common: where the epoch it names ended, or
 * the beginning if that epoch is not among them.
 */
export function lastInCommon(position: EventPosition, kept: KeptHistory): EventPosition {
  const index = kept.spans.findLastIndex(({ epoch }) => epoch === position.epoch);
  if (index === -1) return { epoch: "", offset: 0 };
  const end = (kept.spans[index + 1]?.firstOffset ?? kept.newest + 1) - 1;
  return { epoch: position.epoch, offset: Math.min(position.offset, end) };
}

function epochAt(offset: number, spans: readonly EpochSpan[]): string | undefined {
  return spans.findLast((span) => span.firstOffset <= offset)?.epoch;
}

/** Every event as it is sent begins so. Its position follows, in quotes. */
export const EVENT_ID_START = '{"event_id":"';

/** The position of an event as it is sent: read by slicing, since no node parses JSON to fan out. */
export function positionOfText(text: string): EventPosition | undefined {
  if (!text.startsWith(EVENT_ID_START)) return undefined;
  return parseEventId(text.slice(EVENT_ID_START.length, text.indexOf('"', EVENT_ID_START.length)));
}

/** The event as it is sent: `event_id` before the encoded members, never merged in. `members` has no opening brace. */
export function textWithEventId(position: EventPosition, members: string): string {
  return `${EVENT_ID_START}${formatEventId(position)}",${members}`;
}
