import { fill, isOnHistory, MAX_EVENT_BYTES, type PublishedEvent, positionOfText } from "telltale/adapter";
import {
  type AnalysisChannel,
  type AppendOutcome,
  type AppendRequest,
  type BrokerContext,
  type BrokerHealth,
  type ChannelName,
  type ChannelPosition,
  type ChannelSnapshot,
  type ChannelSubscriber,
  type ChannelSubscription,
  type ClockPort,
  type Durability,
  type EventPosition,
  type HistoryPage,
  NewerFormat,
  PAGE_BYTES,
  type PubSubPort,
  type TelemetryPort,
  type ViewerList,
} from "telltale/ports";
import { Appends } from "./appends.ts";
import {
  assertKnown,
  type ChannelRow,
  eventOfText,
  keyOf,
  viewersOfText,
  viewersToText,
} from "./channel-rows.ts";
import type { Database } from "./database.ts";
import { unknown } from "./failures.ts";
import type { Listener } from "./listener.ts";
import { encode } from "./notifications.ts";
import { FORMAT } from "./schema.ts";
import { Subscriptions } from "./subscriptions.ts";
import { inTransaction } from "./transaction.ts";

interface PostgresPubSubOptions {
  readonly publishing: Database;
  readonly reading: Database;
  readonly listener: Listener;
  readonly history: BrokerContext["history"];
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

const WRITE_MS = 3_000;
const TIDY_MS = 5_000;
const NOTHING: EventPosition = { epoch: "", offset: 0 };

/** `PubSubPort` on the tables of `schema.ts`. */
export class PostgresPubSub implements PubSubPort {
  readonly kind = "postgres";
  readonly mostBytes = MAX_EVENT_BYTES;
  readonly #options: PostgresPubSubOptions;
  readonly #appends: Appends;
  readonly #subscriptions: Subscriptions;
  readonly #stopTidying: () => void;
  /** The channel of a newer format that was met last. */
  #newer: ChannelName | undefined;

  constructor(options: PostgresPubSubOptions) {
    this.#options = options;
    const { publishing, history, clock, telemetry } = options;
    this.#appends = new Appends({ database: publishing, history });
    this.#subscriptions = new Subscriptions({
      ...options,
      readEvent: (key, offset) => this.#readEvent(key, offset),
      readViewers: (key) => this.#readViewers(key),
      viewersOf: viewersOfText,
    });
    this.#stopTidying = clock.every(TIDY_MS, () => {
      this.#tidy().catch((error: unknown) =>
        telemetry.log("debug", "the tables could not be tidied", { reason: String(error) }),
      );
    });
  }

  get durability(): Durability {
    return this.#options.listener.durability;
  }

  append(request: AppendRequest): Promise<AppendOutcome> {
    if (request.deduplicate?.by === "occurrence")
      return Promise.reject(new Error("PostgreSQL has no worker channels, so it recognises no bare message"));
    return this.#noting(request.channel, this.#appends.append(request));
  }

  snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot> {
    const key = keyOf(channel);
    const asked = this.#options.reading.read(async (sql) => {
      const [row] = await sql<SnapshotRow[]>`
        select c.format, c.lineage, c.epoch, c.last_offset, c.oldest, c.spans, c.stages, c.attempts, c.last_status,
          c.current_terminal, c.heard_at, v.viewers, clock.now
        from (select now_ms() as now) as clock
        left join channels c on c.channel = ${key} and c.expires_at > clock.now
        left join viewers v on v.channel = ${key} and v.expires_at > clock.now`;
      return snapshotOf(row as SnapshotRow, channel);
    });
    return this.#noting(channel, asked);
  }

  viewers(channel: AnalysisChannel): Promise<ViewerList | undefined> {
    return this.#readViewers(keyOf(channel));
  }

  history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    const key = keyOf(channel);
    const asked = this.#options.reading.read((sql) =>
      // Both questions see the channel at the same instant.
      inTransaction(sql, "begin isolation level repeatable read read only", async () => {
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
      }),
    );
    return this.#noting(channel, asked as Promise<HistoryPage>);
  }

  positions(channels: readonly AnalysisChannel[]): Promise<readonly ChannelPosition[]> {
    return this.#options.reading.read(async (sql) => {
      const rows = await sql<{ epoch: string | null; last_offset: number | null; lineage: string }[]>`
        select c.epoch, c.last_offset, server.lineage
        from (select lineage() as lineage, now_ms() as now) as server,
          json_array_elements_text(${JSON.stringify(channels.map(keyOf))}::text::json) with ordinality as a(channel, nth)
        left join channels c on c.channel = a.channel and c.expires_at > now_ms() order by nth`;
      return rows.map(({ epoch, last_offset, lineage }) => ({
        ...{ epoch: epoch ?? "", offset: last_offset ?? 0 },
        lineage,
      }));
    });
  }

  subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    return this.#subscriptions.subscribe(keyOf(channel), subscriber);
  }

  async declareViewers(channel: AnalysisChannel, viewers: ViewerList): Promise<void> {
    const { publishing, history } = this.#options;
    const key = keyOf(channel);
    const text = viewersToText(viewers);
    const told = encode({ type: "viewers", channel: key, viewers: text });
    try {
      await publishing.attempt(async (sql) => {
        await sql`
          with kept as (
            insert into viewers (channel, viewers, expires_at) values (${key}, ${text}, now_ms() + ${history.ttlMs}::bigint)
            on conflict (channel) do update set viewers = excluded.viewers, expires_at = excluded.expires_at
            returning 1
          ) select pg_notify(${publishing.schema}, ${told}) from kept`;
      }, WRITE_MS);
    } catch (error) {
      throw unknown(error);
    }
  }

  health(): BrokerHealth {
    const { trouble } = this.#options.listener;
    if (trouble !== undefined)
      return { status: "down", cause: trouble.cause, reason: `PostgreSQL: ${trouble.cause}`, warnings: [] };
    if (this.#newer !== undefined)
      return {
        ...{ status: "down", cause: "newer_format", warnings: [] },
        reason: "the tables hold a channel of a newer format than this gateway knows",
      };
    return { status: "up", warnings: [] };
  }

  async close(): Promise<void> {
    this.#stopTidying();
    this.#subscriptions.close();
    this.#options.listener.close();
    this.#options.publishing.close();
    this.#options.reading.close();
  }

  async #noting<Answer>(channel: ChannelName, asked: Promise<Answer>): Promise<Answer> {
    try {
      return await asked;
    } catch (error) {
      if (error instanceof NewerFormat) this.#newer = channel;
      throw error;
    }
  }

  #readEvent(key: string, offset: number): Promise<PublishedEvent | undefined> {
    return this.#options.reading.read(async (sql) => {
      const [row] = await sql<EventRow[]>`
        select event_offset, kind, reopens, bytes, text from events
        where channel = ${key} and event_offset = ${offset}`;
      return row && eventOf(row);
    });
  }

  #readViewers(key: string): Promise<ViewerList | undefined> {
    return this.#options.reading.read(async (sql) => {
      const [row] = await sql<{ viewers: string }[]>`
        select viewers from viewers where channel = ${key} and expires_at > now_ms()`;
      return viewersOfText(row?.viewers ?? null);
    });
  }

  /** Removes what has expired, and looks whether the channel of a newer format is still there. */
  async #tidy(): Promise<void> {
    const newer = this.#newer;
    await this.#options.reading.read(async (sql) => {
      await sql`
        with gone as (
          delete from channels where channel in
            (select channel from channels where expires_at <= now_ms() and format <= ${FORMAT}
             limit 1000 for update skip locked)
          returning channel
        ), events_gone as (delete from events using gone where events.channel = gone.channel)
        delete from requests using gone where requests.scope = gone.channel`;
      await sql`delete from requests where until <= now_ms()`;
      await sql`delete from viewers where expires_at <= now_ms()`;
      await sql`delete from dead_letter_names where until <= now_ms()`;
      await sql`delete from calls where at <= now_ms() - 60000`;
      if (newer === undefined) return;
      const there = await sql`select 1 from channels where channel = ${keyOf(newer)} and format > ${FORMAT}`;
      if (there.length === 0) this.#newer = undefined;
    });
  }
}

interface EventRow {
  readonly event_offset: number;
  readonly kind: PublishedEvent["kind"];
  readonly reopens: boolean;
  readonly bytes: number;
  readonly text: string;
}

type SnapshotRow = { readonly [Name in keyof Omit<ChannelRow, "now">]: ChannelRow[Name] | null } & {
  readonly now: number;
  readonly last_status: string | null;
  readonly current_terminal: string | null;
  readonly viewers: string | null;
};

function snapshotOf(row: SnapshotRow, channel: ChannelName): ChannelSnapshot {
  assertKnown(row.format, channel);
  const attempts = row.attempts ? JSON.parse(row.attempts) : {};
  return {
    position: row.epoch === null ? NOTHING : { epoch: row.epoch, offset: row.last_offset ?? 0 },
    lastStatus: eventOfText(row.last_status),
    currentTerminal: eventOfText(row.current_terminal),
    stages: JSON.parse(row.stages ?? "[]"),
    attemptId: attempts.current,
    spans: JSON.parse(row.spans ?? "[]"),
    oldestKept: row.oldest ?? 1,
    viewers: viewersOfText(row.viewers),
    heardAt: row.heard_at ?? undefined,
    brokerNow: row.now,
  };
}

function eventOf({ event_offset: offset, kind, reopens, text }: EventRow): PublishedEvent {
  return { position: positionOfText(text) ?? { epoch: "", offset }, kind, reopens, text };
}
