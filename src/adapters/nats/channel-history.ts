import type { HistoryPage } from "../../application/ports/pub-sub-port.ts";
import { PAGE_BYTES } from "../../application/ports/pub-sub-port.ts";
import { fill } from "../../domain/byte-budget.ts";
import type { PublishedEvent } from "../../domain/channel-record.ts";
import { type EventPosition, isOnHistory } from "../../domain/event-position.ts";
import { utf8Length } from "../../domain/utf8.ts";
import { type KeptHead, readHead } from "./channel-head.ts";
import { eventsOfMessage, isVoid, positionsOf, stateOfMessage } from "./channel-message.ts";
import type { EventStream } from "./event-stream.ts";
import type { KnownHoles } from "./known-holes.ts";
import { lastMessageBefore } from "./message-search.ts";
import { readAgain } from "./read-again.ts";
import type { ChannelSubjects } from "./subjects.ts";

export interface HistoryTerms {
  readonly ttlMs: number;
  readonly holes: KnownHoles;
}

/** Reads a page of a channel's history, as of the moment at which it read the last message. */
export function readHistory(
  stream: EventStream,
  subjects: ChannelSubjects,
  { ttlMs, holes }: HistoryTerms,
  after: EventPosition | undefined,
  limit: number,
): Promise<HistoryPage> {
  let lacked: { readonly birth: string; readonly offset: number } | undefined;
  return readAgain(async (readBefore) => {
    const { kept: head } = await readHead(stream, subjects, ttlMs);
    if (head === undefined) return nothing(after);
    const { epoch, offset: newest, state, course } = head;
    // The channel still counts it among the events that are kept, so that nobody trimmed it: the stream has lost it.
    if (lacked?.birth === course.birth && lacked.offset >= state.oldestKept)
      holes.note(subjects.events, head, await endOfHoles(stream, subjects, head));
    const kept = { oldestKept: holes.oldestKept(subjects.events, head), newest, spans: course.spans };
    const resumed = after === undefined || isOnHistory(after, kept);
    const start = after !== undefined && resumed ? after.offset + 1 : kept.oldestKept;
    const events = await readEvents(stream, subjects, head, { start, limit, fromLeader: readBefore > 0 });
    // If the first is gone, somebody trimmed the channel between the two questions, or it has begun anew. If any is, they came
    // from a server that lags behind.
    const missing = start <= newest ? firstMissing(events, start) : undefined;
    if (missing !== undefined) {
      lacked = readBefore > 0 ? { birth: course.birth, offset: missing } : undefined;
      return undefined;
    }
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

/** The first offset from `start` on that the events lack; undefined if there are events, and they follow each other. */
function firstMissing(events: readonly PublishedEvent[], start: number): number | undefined {
  if (events.length === 0) return start;
  const index = events.findIndex(({ position }, at) => position.offset !== start + at);
  return index === -1 ? undefined : start + index;
}

interface EventsWanted {
  /** The offset of the first. */
  readonly start: number;
  readonly limit: number;
  /** As in `RangeTerms`. */
  readonly fromLeader: boolean;
}

/** Reads events, at most as many as a page holds, and none after the head. */
async function readEvents(
  stream: EventStream,
  { events: subject }: ChannelSubjects,
  head: KeptHead,
  { start, limit, fromLeader }: EventsWanted,
): Promise<readonly PublishedEvent[]> {
  if (start > head.offset || limit <= 0) return [];
  const from = await lastMessageBefore(stream, subject, head, ({ first }) => first <= start, NEAR);
  const chain = new MessageChain();
  await stream.range(subject, { from, fromLeader }, (message) => {
    if (message.sequence > head.sequence) return false;
    if (isVoid(message)) return true;
    chain.follow(stateOfMessage(message.text, message.sequence).previous);
    // The messages before it are enough, and this one follows them.
    if (chain.items >= limit || chain.bytes >= PAGE_BYTES) return false;
    const { first, events } = eventsOfMessage(message.text);
    chain.add({
      ...{ sequence: message.sequence, first },
      events: events.filter(({ position }) => position.offset >= start),
    });
    return message.sequence < head.sequence;
  });
  return fill(chain.events, { items: limit, bytes: PAGE_BYTES }, ({ text }) => utf8Length(text));
}

/** Finds the first offset after the last hole, by reading all that the leader keeps of the channel. */
async function endOfHoles(
  stream: EventStream,
  { events: subject }: ChannelSubjects,
  head: KeptHead,
): Promise<number> {
  const chain = new MessageChain();
  await stream.range(subject, { from: head.course.bornAfter + 1, fromLeader: true }, (message) => {
    if (message.sequence > head.sequence) return false;
    if (isVoid(message)) return true;
    const { sequence, text } = message;
    chain.follow(stateOfMessage(text, sequence).previous);
    chain.add({ sequence, first: positionsOf(text).first, events: [] });
    return sequence < head.sequence;
  });
  return chain.first ?? head.offset + 1;
}

interface Link {
  readonly sequence: number;
  /** The offset of its first event. */
  readonly first: number;
  readonly events: readonly PublishedEvent[];
}

/**
 * The messages that the last one follows, back to the last hole. Void messages are no part of the channel. Nor are those that a
 * server forgot: one that was killed may append after an earlier message than the last one that it keeps.
 */
class MessageChain {
  #links: Link[] = [];
  items = 0;
  /** Bytes of UTF-8. */
  bytes = 0;

  get events(): readonly PublishedEvent[] {
    return this.#links.flatMap(({ events }) => events);
  }

  /** The offset of its first event; undefined if it is empty. */
  get first(): number | undefined {
    return this.#links[0]?.first;
  }

  /** Takes out the messages after the one that the next one follows, and all of them if that one is lost. */
  follow(previous: number): void {
    for (let last = this.#links.at(-1); last && last.sequence > previous; last = this.#links.at(-1)) {
      this.#links.pop();
      this.#count(last, -1);
    }
    if (this.#links.at(-1)?.sequence === previous) return;
    this.#links = [];
    this.items = 0;
    this.bytes = 0;
  }

  add(link: Link): void {
    this.#links.push(link);
    this.#count(link, 1);
  }

  #count({ events }: Link, sign: 1 | -1): void {
    this.items += sign * events.length;
    this.bytes += sign * events.reduce((sum, { text }) => sum + utf8Length(text), 0);
  }
}
