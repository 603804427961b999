import type { HistoryPage } from "../../application/ports/pub-sub-port.ts";
import { PAGE_BYTES } from "../../application/ports/pub-sub-port.ts";
import { Filling } from "../../domain/byte-budget.ts";
import type { PublishedEvent } from "../../domain/channel-record.ts";
import { type EventPosition, isOnHistory } from "../../domain/event-position.ts";
import { utf8Length } from "../../domain/utf8.ts";
import { type KeptHead, readHead } from "./channel-head.ts";
import { eventsOfMessage, isVoid } from "./channel-message.ts";
import type { EventStream } from "./event-stream.ts";
import { lastMessageBefore } from "./message-search.ts";
import { readAgain } from "./read-again.ts";
import type { ChannelSubjects } from "./subjects.ts";

/** Reads a page of a channel's history, as of the moment at which it read the last message. */
export function readHistory(
  stream: EventStream,
  subjects: ChannelSubjects,
  ttlMs: number,
  after: EventPosition | undefined,
  limit: number,
): Promise<HistoryPage> {
  return readAgain(async () => {
    const { kept: head } = await readHead(stream, subjects, ttlMs);
    if (head === undefined) return nothing(after);
    const { epoch, offset: newest, state, course } = head;
    const kept = { oldestKept: state.oldestKept, newest, spans: course.spans };
    const resumed = after === undefined || isOnHistory(after, kept);
    const start = after !== undefined && resumed ? after.offset + 1 : kept.oldestKept;
    const events = await readEvents(stream, subjects, head, start, limit);
    // If the first is gone, somebody trimmed the channel between the two questions, or it has begun anew.
    if (start <= newest && events[0]?.position.offset !== start) return undefined;
    const last = events.at(-1)?.position.offset ?? newest;
    return { resumed, events, more: last < newest, position: { epoch, offset: newest }, kept };
  });
}

/** A page that begins so many sequences early costs less than another question. */
const NEAR = 8;

function nothing(after: EventPosition | undefined): HistoryPage {
  return {
    resumed: after === undefined || after.offset === 0,
    events: [],
    more: false,
    position: { epoch: "", offset: 0 },
    kept: { oldestKept: 1, newest: 0, spans: [] },
  };
}

/** Reads events from the offset `start` on, at most as many as a page holds, and none after the head. */
async function readEvents(
  stream: EventStream,
  { events: subject }: ChannelSubjects,
  head: KeptHead,
  start: number,
  limit: number,
): Promise<readonly PublishedEvent[]> {
  if (start > head.offset || limit <= 0) return [];
  const from = await lastMessageBefore(stream, subject, head, ({ first }) => first <= start, NEAR);
  const page: PublishedEvent[] = [];
  const filling = new Filling({ items: limit, bytes: PAGE_BYTES });
  const take = (events: readonly PublishedEvent[]): boolean => {
    for (const event of events) {
      if (event.position.offset < start) continue;
      if (!filling.take(utf8Length(event.text))) return false;
      page.push(event);
    }
    return !filling.isFull;
  };
  await stream.range(subject, from, (message) => {
    if (message.sequence > head.sequence) return false;
    const goesOn = isVoid(message) || take(eventsOfMessage(message.text).events);
    return goesOn && message.sequence < head.sequence;
  });
  return page;
}
