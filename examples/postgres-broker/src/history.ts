import type { ReservedSql, Sql } from "postgres";
import {
  fill,
  isOnHistory,
  kindOfStored,
  type PublishedEvent,
  positionOfText,
  type StoredKind,
} from "telltale/adapter";
import { type ChannelName, type EventPosition, type HistoryPage, PAGE_BYTES } from "telltale/ports";
import { assertKnown, type ChannelRow, keyOf, NOTHING } from "./channel-rows.ts";
import { inTransaction } from "./transaction.ts";

/** `PubSubPort.history`. All questions see the channel at the same instant. */
export function readHistory(
  sql: ReservedSql,
  channel: ChannelName,
  after: EventPosition | undefined,
  limit: number,
): Promise<HistoryPage> {
  const key = keyOf(channel);
  return inTransaction(sql, "begin isolation level repeatable read read only", async () => {
    const [row] = await sql<ChannelRow[]>`
      select format, epoch, last_offset, oldest, spans from channels
      where channel = ${key} and expires_at > now_ms()`;
    assertKnown(row?.format ?? null, channel);
    const position = row === undefined ? NOTHING : { epoch: row.epoch, offset: row.last_offset };
    const kept = {
      oldestKept: row?.oldest ?? 1,
      newest: position.offset,
      spans: row === undefined ? [] : JSON.parse(row.spans),
    };
    const resumed = after === undefined || isOnHistory(after, kept);
    const from = after !== undefined && resumed ? after.offset : 0;
    const rows = await sql<EventRow[]>`
      select event_offset, kind, reopens, bytes, text from
        (select *, sum(bytes) over (order by event_offset) as total from events
         where channel = ${key} and event_offset > ${from} and ${row !== undefined}
         order by event_offset limit ${limit}) as page
      where total <= ${PAGE_BYTES} or total = bytes order by event_offset`;
    const events = fill(rows, { items: limit, bytes: PAGE_BYTES }, ({ bytes }) => bytes).map(eventOf);
    const last = events.at(-1)?.position.offset ?? Math.max(from, position.offset);
    return { resumed, events, more: last < position.offset, position, kept };
  });
}

/** One event; undefined if it is kept no more. */
export async function readEvent(sql: Sql, key: string, offset: number): Promise<PublishedEvent | undefined> {
  const [row] = await sql<EventRow[]>`
    select event_offset, kind, reopens, bytes, text from events
    where channel = ${key} and event_offset = ${offset}`;
  return row && eventOf(row);
}

interface EventRow {
  readonly event_offset: number;
  readonly kind: StoredKind;
  readonly reopens: boolean;
  readonly bytes: number;
  readonly text: string;
}

function eventOf({ event_offset: offset, kind: stored, reopens, text }: EventRow): PublishedEvent {
  const kind = kindOfStored(stored, text);
  return { position: positionOfText(text) ?? { epoch: "", offset }, kind, reopens, text };
}
