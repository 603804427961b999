import type { HistoryPage } from "../../application/ports/pub-sub-port.ts";
import { PAGE_BYTES } from "../../application/ports/pub-sub-port.ts";
import { fill } from "../../domain/byte-budget.ts";
import type { PublishedEvent } from "../../domain/channel-record.ts";
import { type EventPosition, isOnHistory } from "../../domain/event-position.ts";
import { utf8Length } from "../../domain/utf8.ts";
import { type KeptHead, readHead } from "./channel-head.ts";
import { eventsOfMessage, stateOfMessage } from "./channel-message.ts";
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
  const chain = new MessageChain();
  await stream.range(subject, from, (message) => {
    if (message.sequence > head.sequence) return false;
    chain.cutAfter(stateOfMessage(message.text, message.sequence).previous);
    // The messages before it are enough, and this one follows them.
    if (chain.items >= limit || chain.bytes >= PAGE_BYTES) return false;
    const { events } = eventsOfMessage(message.text);
    chain.add(
      message.sequence,
      events.filter(({ position }) => position.offset >= start),
    );
    return message.sequence < head.sequence;
  });
  return fill(chain.events, { items: limit, bytes: PAGE_BYTES }, ({ text }) => utf8Length(text));
}

interface Link {
  readonly sequence: number;
  readonly events: readonly PublishedEvent[];
  readonly bytes: number;
}

/**
 * The messages that the last one follows. Void messages are no part of the channel. Nor are those that a server forgot: one that
 * was killed may append after an earlier message than the last one that it keeps.
 */
class MessageChain {
  readonly #links: Link[] = [];
  items = 0;
  /** Bytes of UTF-8. */
  bytes = 0;

  get events(): readonly PublishedEvent[] {
    return this.#links.flatMap(({ events }) => events);
  }

  /** Takes out the messages after the one that the next one follows. */
  cutAfter(previous: number): void {
    for (let last = this.#links.at(-1); last && last.sequence > previous; last = this.#links.at(-1)) {
      this.#links.pop();
      this.items -= last.events.length;
      this.bytes -= last.bytes;
    }
  }

  add(sequence: number, events: readonly PublishedEvent[]): void {
    const bytes = events.reduce((sum, { text }) => sum + utf8Length(text), 0);
    this.#links.push({ sequence, events, bytes });
    this.items += events.length;
    this.bytes += bytes;
  }
}
