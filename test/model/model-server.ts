import { compareTimedIds } from "../../src/adapters/system/timed-id.ts";
import { BrokerUnavailable } from "../../src/application/errors.ts";
import type { DeadLetter } from "../../src/application/ports/dead-letter-port.ts";
import type {
  DeduplicationKey,
  EntryKey,
  RequestKey,
} from "../../src/application/ports/deduplication-key.ts";
import type { InboxEvent } from "../../src/application/ports/inbox-port.ts";
import {
  type AppendOutcome,
  type AppendRequest,
  type AttemptRefusal,
  type ChannelPosition,
  type ChannelSnapshot,
  type ChannelSubscriber,
  type HistoryPage,
  PAGE_BYTES,
  type PublishedEvent,
} from "../../src/application/ports/pub-sub-port.ts";
import type { ViewerList } from "../../src/domain/access-grant.ts";
import { fill } from "../../src/domain/byte-budget.ts";
import { type AnalysisChannel, type ChannelName, isAnalysisChannel } from "../../src/domain/channel.ts";
import { appendToRecord, type ChannelRecord, newRecord } from "../../src/domain/channel-record.ts";
import { type EpochSpan, type EventPosition, isOnHistory } from "../../src/domain/event-position.ts";
import { HeardContents, type Place } from "../../src/domain/heard-contents.ts";
import { utf8Length } from "../../src/domain/utf8.ts";

export interface HistoryLimits {
  readonly size: number;
  readonly ttlMs: number;
}

/** One subscription of one node. */
export interface Listener {
  post(message: (subscriber: ChannelSubscriber) => void, what: "event" | "viewers"): void;
}

interface FirstTime extends Place {
  readonly until: number;
}

interface Kept {
  readonly record: ChannelRecord;
  lineage: string;
  readonly spans: EpochSpan[];
  history: PublishedEvent[];
  /** Everything since the counter began, with the trimmed events: the truth that watchers are compared with. */
  readonly log: PublishedEvent[];
  readonly seen: Map<string, FirstTime>;
  readonly heard: HeardContents<AttemptRefusal>;
  heardAt: number | undefined;
  expiresAt: number;
  lastEntry: { readonly id: string; readonly first: FirstTime } | undefined;
}

interface Data {
  readonly channels: Map<ChannelName, Kept>;
  readonly viewers: Map<ChannelName, { readonly viewers: ViewerList; readonly expiresAt: number }>;
  readonly seenNotices: Map<string, FirstTime>;
  readonly deadLetters: DeadLetter[];
  readonly inbox: InboxEvent[];
}

/** The data that outlives a server: a snapshot on disk, or the data that a replica had received. */
export type SavedData = Data & { readonly saved: true };

let made = 0;
/** A name as long as a real epoch, different at each call within this process. */
const fresh = (name: string) => `${name}${String(++made).padStart(10 - name.length, "0")}`;
const NOTHING: EventPosition = { epoch: "", offset: 0 };

/** One broker process, as far as the promises of `PubSubPort` go; nothing here waits for anything. */
export class ModelServer {
  /** Another one after every restart and promotion. */
  lineage = fresh("lineage");
  /** Another one for every process. */
  run = fresh("run");
  marks = 0;
  /** Whether the memory is full: then the server refuses every command that writes. */
  full = false;
  readonly #now: () => number;
  readonly #limits: HistoryLimits;
  readonly #listeners = new Map<ChannelName, Set<Listener>>();
  #data: Data;

  constructor(now: () => number, limits: HistoryLimits, saved?: SavedData) {
    this.#now = now;
    this.#limits = limits;
    this.#data = saved === undefined ? empty() : copyOf(saved);
  }

  /** Milliseconds by its clock. */
  get now(): number {
    return this.#now();
  }

  save(): SavedData {
    return { ...copyOf(this.#data), saved: true };
  }

  /** The process begins anew, with what it had saved. */
  restart(saved: SavedData): void {
    this.lineage = fresh("lineage");
    this.run = fresh("run");
    this.#listeners.clear();
    this.#data = copyOf(saved);
  }

  loseEverything(): void {
    this.#data = empty();
  }

  newLineage(): void {
    this.lineage = fresh("lineage");
  }

  /** The counter is gone, and with it the rest of the channel. */
  lose(channel: ChannelName): void {
    this.#data.channels.delete(channel);
  }

  expire(channel: ChannelName): void {
    this.#data.channels.delete(channel);
    this.#data.viewers.delete(channel);
  }

  trim(channel: ChannelName, keep: number): void {
    const kept = this.#find(channel);
    if (kept !== undefined) kept.history = keep === 0 ? [] : kept.history.slice(-keep);
  }

  append({ channel, events, deduplicate: key }: AppendRequest, limits = this.#limits): AppendOutcome {
    const now = this.#now();
    const known = this.#find(channel);
    const kept = known ?? this.#begin();
    if (this.full) throw new BrokerUnavailable("the broker is full");
    const before = key && this.#seenBefore(key, kept, now);
    if (before !== undefined) {
      if (before.type === "duplicate") kept.heardAt = now;
      return before;
    }
    const { epoch: epochBefore, offset } = kept.record;
    const forked = kept.lineage !== this.lineage && offset > 0;
    if (forked) kept.record.epoch = fresh("e");
    const appended = appendToRecord(kept.record, events);
    if (appended.type === "refused") {
      kept.record.epoch = epochBefore;
      if (key?.by === "occurrence") kept.heard.refused(key, appended, now);
      return appended;
    }
    const { epoch } = kept.record;
    if (forked) kept.spans.push({ epoch, firstOffset: offset + 1 });
    kept.lineage = this.lineage;
    kept.log.push(...appended.events);
    kept.history.push(...appended.events);
    if (kept.history.length > limits.size + Math.min(limits.size, 200))
      kept.history = kept.history.slice(-limits.size);
    kept.heardAt = now;
    kept.expiresAt = now + limits.ttlMs;
    const viewers = this.viewersOf(channel);
    if (viewers !== undefined) this.#data.viewers.set(channel, { viewers, expiresAt: kept.expiresAt });
    const stored = { epoch, firstOffset: offset + 1, count: events.length };
    if (key) this.#remember(key, kept, { ...stored, at: now });
    this.#data.channels.set(channel, kept);
    for (const event of appended.events)
      this.#tell(channel, "event", (subscriber) => subscriber.event(event));
    return { type: "stored", ...stored };
  }

  snapshot(channel: AnalysisChannel): ChannelSnapshot {
    const kept = this.#find(channel);
    return {
      position: kept === undefined ? NOTHING : positionOf(kept),
      lastStatus: kept?.record.lastStatus,
      currentTerminal: kept?.record.currentTerminal,
      stages: [...(kept?.record.stages ?? [])],
      attemptId: kept?.record.attempts.current,
      spans: [...(kept?.spans ?? [])],
      oldestKept: this.oldestKept(channel),
      viewers: this.viewersOf(channel),
      heardAt: kept?.heardAt,
      brokerNow: this.#now(),
    };
  }

  history(channel: ChannelName, after: EventPosition | undefined, limit: number): HistoryPage {
    const kept = this.#find(channel);
    const newest = kept?.record.offset ?? 0;
    const held = kept?.history ?? [];
    const oldestKept = newest - held.length + 1;
    const range = { oldestKept, newest, spans: [...(kept?.spans ?? [])] };
    const resumed = after === undefined || isOnHistory(after, range);
    const start = after !== undefined && resumed ? after.offset + 1 - oldestKept : 0;
    const position = kept === undefined ? NOTHING : positionOf(kept);
    const wanted = held.slice(start, start + limit);
    const events = fill(wanted, { items: limit, bytes: PAGE_BYTES }, ({ text }) => utf8Length(text));
    return { resumed, events, more: start + events.length < held.length, position, kept: range };
  }

  positions(channels: readonly AnalysisChannel[]): ChannelPosition[] {
    return channels.map((channel) => {
      const kept = this.#find(channel);
      return { ...(kept === undefined ? NOTHING : positionOf(kept)), lineage: this.lineage };
    });
  }

  declareViewers(channel: AnalysisChannel, viewers: ViewerList, ttlMs = this.#limits.ttlMs): void {
    if (this.full) throw new BrokerUnavailable("the broker is full");
    const declared = viewers === "*" ? viewers : new Set(viewers);
    this.#data.viewers.set(channel, { viewers: declared, expiresAt: this.#now() + ttlMs });
    this.#tell(channel, "viewers", (subscriber) => subscriber.viewersChanged(declared));
  }

  viewersOf(channel: ChannelName): ViewerList | undefined {
    const declared = this.#data.viewers.get(channel);
    return declared === undefined || this.#now() >= declared.expiresAt ? undefined : declared.viewers;
  }

  keepDeadLetter(letter: DeadLetter): void {
    if (this.full) throw new BrokerUnavailable("the broker is full");
    const { deadLetters } = this.#data;
    const same = ({ channel, payload }: DeadLetter) =>
      channel === letter.channel && payload === letter.payload;
    if (!deadLetters.some(same)) deadLetters.push(letter);
  }

  get deadLetters(): readonly DeadLetter[] {
    return this.#data.deadLetters;
  }

  /** The number of subscriptions. */
  get listeners(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** The analyses among what it keeps. */
  get analyses(): AnalysisChannel[] {
    return [...this.#data.channels.keys()].filter(isAnalysisChannel);
  }

  get inbox(): readonly InboxEvent[] {
    return this.#data.inbox;
  }

  /** Answers whether there was room. */
  addToInbox(event: string): boolean {
    if (!this.full)
      this.#data.inbox.push({ type: "event", id: `${this.#now()}-${++made}`, addedAt: this.#now(), event });
    return !this.full;
  }

  removeFromInbox(ids: readonly string[]): void {
    const left = this.#data.inbox.filter(({ id }) => !ids.includes(id));
    this.#data.inbox.splice(0, this.#data.inbox.length, ...left);
  }

  /** Every event of the channel's present life, in order: the event of offset n at n - 1. */
  logOf(channel: ChannelName): readonly PublishedEvent[] {
    return this.#find(channel)?.log ?? [];
  }

  /** The offset of the oldest event that is kept; one more than the newest if none is kept. */
  oldestKept(channel: ChannelName): number {
    const kept = this.#find(channel);
    return kept === undefined ? 1 : kept.record.offset - kept.history.length + 1;
  }

  addListener(channel: ChannelName, listener: Listener): void {
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners.add(listener));
  }

  removeListener(channel: ChannelName, listener: Listener): void {
    const listeners = this.#listeners.get(channel);
    if (listeners?.delete(listener) && listeners.size === 0) this.#listeners.delete(channel);
  }

  #tell(
    channel: ChannelName,
    what: "event" | "viewers",
    message: (subscriber: ChannelSubscriber) => void,
  ): void {
    for (const listener of this.#listeners.get(channel) ?? []) listener.post(message, what);
  }

  #find(channel: ChannelName): Kept | undefined {
    const kept = this.#data.channels.get(channel);
    return kept === undefined || this.#now() >= kept.expiresAt ? undefined : kept;
  }

  #begin(): Kept {
    const record = newRecord(fresh("e"));
    return {
      record,
      lineage: this.lineage,
      spans: [{ epoch: record.epoch, firstOffset: 1 }],
      history: [],
      log: [],
      seen: new Map(),
      heard: new HeardContents(),
      heardAt: undefined,
      expiresAt: 0,
      lastEntry: undefined,
    };
  }

  #seenBefore(key: DeduplicationKey, kept: Kept, now: number): AppendOutcome | undefined {
    if (key.by === "occurrence") {
      const found = kept.heard.find(key, kept.record.offset, now);
      if (found.type === "new") return undefined;
      return found.type === "refused" ? found : duplicateOf(found.place);
    }
    const first = key.by === "entry" ? this.#firstEntry(key, kept) : this.#firstKey(key, kept, now);
    return first && duplicateOf(first);
  }

  #firstEntry({ id }: EntryKey, { lastEntry: last }: Kept): FirstTime | undefined {
    return last !== undefined && compareTimedIds(id, last.id) <= 0 ? last.first : undefined;
  }

  #firstKey(key: RequestKey, kept: Kept, now: number): FirstTime | undefined {
    const first = this.#memoryOf(key.scope, kept).get(`${key.by} ${key.name}`);
    return first !== undefined && now < first.until && now - first.at <= key.windowMs ? first : undefined;
  }

  #remember(key: DeduplicationKey, kept: Kept, first: Omit<FirstTime, "until">): void {
    if (key.by === "entry") kept.lastEntry = { id: key.id, first: { ...first, until: Infinity } };
    else if (key.by === "occurrence") kept.heard.stored(key, first);
    else {
      const memory = this.#memoryOf(key.scope, kept);
      memory.set(`${key.by} ${key.name}`, { ...first, until: first.at + key.rememberMs });
    }
  }

  #memoryOf(scope: "channel" | "notices", kept: Kept): Map<string, FirstTime> {
    return scope === "notices" ? this.#data.seenNotices : kept.seen;
  }
}

function duplicateOf({ epoch, firstOffset, count }: Place): AppendOutcome {
  return { type: "duplicate", epoch, firstOffset, count };
}

function positionOf({ record }: Kept): EventPosition {
  return { epoch: record.epoch, offset: record.offset };
}

function empty(): Data {
  return { channels: new Map(), viewers: new Map(), seenNotices: new Map(), deadLetters: [], inbox: [] };
}

function copyOf({ channels, viewers, seenNotices, deadLetters, inbox }: Data): Data {
  const copies = [...channels].map(([channel, kept]): [ChannelName, Kept] => [
    channel,
    {
      ...kept,
      record: { ...kept.record, stages: [...kept.record.stages] },
      spans: [...kept.spans],
      history: [...kept.history],
      log: [...kept.log],
      seen: new Map(kept.seen),
      heard: kept.heard.copy(),
    },
  ]);
  return {
    channels: new Map(copies),
    viewers: new Map(viewers),
    seenNotices: new Map(seenNotices),
    deadLetters: [...deadLetters],
    inbox: [...inbox],
  };
}
