import {
  appendToRecord,
  type ChannelRecord,
  mostKept,
  newRecord,
  type PublishedEvent,
} from "telltale/adapter";
import type { AppendOutcome, AppendRequest, EpochSpan, RequestKey } from "telltale/ports";

/** Where a request was stored the first time. */
export interface Place {
  readonly epoch: string;
  readonly firstOffset: number;
  readonly count: number;
}

/** A request as the broker remembers it. Times are the broker's, in milliseconds. */
export interface Remembered {
  readonly scope: string;
  readonly name: string;
  readonly place: Place;
  readonly at: number;
  readonly until: number;
}

/** A channel as it is kept beside its history. */
export interface KeptRecord extends ChannelRecord {
  /** The line of history that the last event was stored on. */
  lineage: string;
  /** The offset of the oldest event kept; one more than the last if none is. */
  oldest: number;
  spans: EpochSpan[];
  /** The last entry of the outbox that was stored, with its place. */
  lastEntry: { readonly id: string; readonly place: Place } | undefined;
}

/** All that one call changes. */
export interface Judgement {
  /** In the order of the requests. */
  readonly outcomes: readonly AppendOutcome[];
  readonly events: readonly PublishedEvent[];
  readonly remembered: readonly Remembered[];
  /** Whether anything must be written: at least when the worker was heard. */
  readonly heard: boolean;
}

interface Circumstances {
  readonly channel: string;
  /** The broker's clock, in milliseconds. */
  readonly now: number;
  readonly lineage: string;
  /** The name of the next epoch, if one begins. */
  readonly newEpoch: string;
  readonly historySize: number;
  /** The requests that the broker remembers of those which the call may repeat. */
  readonly seen: readonly Remembered[];
}

/** A channel that has no event. */
export function emptyRecord(): KeptRecord {
  return { ...newRecord(""), lineage: "", oldest: 1, spans: [], lastEntry: undefined };
}

/** Judges the requests of one call, one after the other, and takes their events into `record`, which is changed in place. */
export function judge(
  requests: readonly AppendRequest[],
  record: KeptRecord,
  circumstances: Circumstances,
): Judgement {
  const { now } = circumstances;
  const seen = new Map(circumstances.seen.map((one) => [`${one.scope}\n${one.name}`, one]));
  const remembered = new Map<string, Remembered>();
  const events: PublishedEvent[] = [];
  let heard = false;
  const outcomes = requests.map((request): AppendOutcome => {
    const key = request.deduplicate;
    const first = placeOfFirst(request);
    if (first !== undefined) {
      heard = true;
      return { type: "duplicate", ...first };
    }
    const began = beginEpoch(record, circumstances);
    const appended = appendToRecord(record, request.events);
    if (appended.type === "refused") {
      began.undo();
      return appended;
    }
    heard = true;
    events.push(...appended.events);
    const count = appended.events.length;
    const place = { epoch: record.epoch, firstOffset: record.offset - count + 1, count };
    if (key?.by === "entry") record.lastEntry = { id: key.id, place };
    if (key?.by === "key") {
      const scope = scopeOf(key, circumstances.channel);
      const one = { scope, name: key.name, place, at: now, until: now + key.rememberMs };
      seen.set(`${scope}\n${key.name}`, one);
      remembered.set(`${scope}\n${key.name}`, one);
    }
    return { type: "stored", ...place };
  });
  trim(record, circumstances.historySize);
  return { outcomes, events, remembered: [...remembered.values()], heard };

  function placeOfFirst({ deduplicate: key }: AppendRequest): Place | undefined {
    if (key?.by === "entry") {
      const last = record.lastEntry;
      return last !== undefined && compareIds(key.id, last.id) <= 0 ? last.place : undefined;
    }
    if (key?.by !== "key") return undefined;
    const found = seen.get(`${scopeOf(key, circumstances.channel)}\n${key.name}`);
    if (found === undefined || now >= found.until || now - found.at > key.windowMs) return undefined;
    return found.place;
  }
}

/** The name space of a key. */
export function scopeOf({ scope }: RequestKey, channel: string): string {
  return scope === "notices" ? "notices" : channel;
}

/** Below 0 if the outbox holds `one` before `other`. A number would not tell ids past 2^53 apart. */
export function compareIds(one: string, other: string): number {
  const [first, second] = [BigInt(one), BigInt(other)];
  return first < second ? -1 : first > second ? 1 : 0;
}

/** Begins an epoch at the next offset if the broker is on another lineage than at the last event. */
function beginEpoch(record: KeptRecord, { lineage, newEpoch }: Circumstances): { undo(): void } {
  if (record.lineage === lineage) return { undo() {} };
  const before = { lineage: record.lineage, epoch: record.epoch, spans: record.spans };
  record.lineage = lineage;
  record.epoch = newEpoch;
  record.spans = [...record.spans, { epoch: newEpoch, firstOffset: record.offset + 1 }];
  return { undo: () => void Object.assign(record, before) };
}

/** Notes what is kept from now on: the newest events, and the epochs that a good position may be of. */
function trim(record: KeptRecord, size: number): void {
  if (record.offset - record.oldest + 1 > mostKept(size)) record.oldest = record.offset - size + 1;
  // The position just before the oldest event is a good one, and belongs to an epoch too.
  const needed = record.oldest - 1;
  record.spans = record.spans.filter((_, index) => {
    const next = record.spans[index + 1];
    return next === undefined || next.firstOffset > needed;
  });
}
