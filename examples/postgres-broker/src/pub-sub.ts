import type { ReservedSql } from "postgres";
import { MAX_EVENT_BYTES, type OutageLog } from "telltale/adapter";
import {
  type AnalysisChannel,
  type AppendOutcome,
  type AppendRequest,
  type BrokerContext,
  type BrokerFault,
  type BrokerHealth,
  type BrokerTrouble,
  type CancelRequest,
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
  type PubSubPort,
  type TelemetryPort,
  type ViewerList,
  type WorkerAnswer,
  wordsOf,
} from "telltale/ports";
import { Appends } from "./appends.ts";
import { requestCancel, signOfLife } from "./cancels.ts";
import { keyOf, type SnapshotRow, snapshotOf, viewersOfText, viewersToText } from "./channel-rows.ts";
import type { Database } from "./database.ts";
import { unknown } from "./failures.ts";
import { readEvent, readHistory } from "./history.ts";
import type { Listener } from "./listener.ts";
import { encode } from "./notifications.ts";
import { FORMAT } from "./schema.ts";
import { Subscriptions } from "./subscriptions.ts";
import { tidy } from "./tidy.ts";
import { Trials } from "./trials.ts";

interface PostgresPubSubOptions {
  readonly publishing: Database;
  readonly reading: Database;
  readonly listener: Listener;
  readonly history: BrokerContext["history"];
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
  readonly outages: OutageLog;
}

interface PositionRow {
  readonly epoch: string | null;
  readonly last_offset: number | null;
  readonly heard_at: number | null;
  readonly lineage: string;
  readonly now: number;
}

const WRITE_MS = 3_000;
const TIDY_MS = 5_000;

/** `PubSubPort` on the tables of `schema.ts`. */
export class PostgresPubSub implements PubSubPort {
  readonly kind = "postgres";
  readonly mostBytes = MAX_EVENT_BYTES;
  readonly #options: PostgresPubSubOptions;
  readonly #appends: Appends;
  readonly #subscriptions: Subscriptions;
  readonly #trials: Trials;
  readonly #stopTrials: () => void;
  readonly #stopTidying: () => void;
  /** The channel of a newer format that was met last. */
  #newer: ChannelName | undefined;

  constructor(options: PostgresPubSubOptions) {
    this.#options = options;
    const { publishing, history, clock, telemetry, outages } = options;
    this.#appends = new Appends({ database: publishing, history });
    this.#subscriptions = new Subscriptions({
      ...options,
      readEvent: (key, offset) => options.reading.read((sql) => readEvent(sql, key, offset)),
      readViewers: (key) => this.#readViewers(key),
      viewersOf: viewersOfText,
    });
    this.#trials = new Trials({
      attempt: () => this.#appends.try(),
      isUp: () => options.listener.trouble === undefined,
      ...{ clock, telemetry, outages },
    });
    this.#stopTrials = options.listener.add({ heard: () => {}, restored: () => void this.#trials.try() });
    this.#stopTidying = clock.every(TIDY_MS, () => {
      this.#tidy().catch((error: unknown) =>
        telemetry.log("debug", "the tables could not be tidied", { reason: String(error) }),
      );
    });
  }

  get durability(): Durability {
    return this.#options.listener.durability;
  }

  async append(request: AppendRequest): Promise<AppendOutcome> {
    if (request.deduplicate?.by === "occurrence")
      throw new Error("PostgreSQL has no worker channels, so it recognises no bare message");
    try {
      return await this.#noting(request.channel, this.#appends.append(request));
    } catch (error) {
      this.#trials.failed(error);
      throw error;
    }
  }

  snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot> {
    const key = keyOf(channel);
    const asked = this.#options.reading.read(async (sql) => {
      const [row] = await sql<SnapshotRow[]>`
        select c.format, c.lineage, c.epoch, c.last_offset, c.oldest, c.spans, c.stages, c.attempts, c.run, c.last_status,
          c.current_terminal, c.heard_at, v.viewers, k.request, clock.now
        from (select now_ms() as now) as clock
        left join channels c on c.channel = ${key} and c.expires_at > clock.now
        left join viewers v on v.channel = ${key} and v.expires_at > clock.now
        left join cancels k on k.channel = ${key} and k.expires_at > clock.now`;
      return snapshotOf(row as SnapshotRow, channel);
    });
    return this.#noting(channel, asked);
  }

  viewers(channel: AnalysisChannel): Promise<ViewerList | undefined> {
    return this.#readViewers(keyOf(channel));
  }

  history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    const asked = this.#options.reading.read((sql) => readHistory(sql, channel, after, limit));
    return this.#noting(channel, asked);
  }

  positions(channels: readonly AnalysisChannel[]): Promise<readonly ChannelPosition[]> {
    return this.#options.reading.read(async (sql) => {
      const rows = await sql<PositionRow[]>`
        select c.epoch, c.last_offset, c.heard_at, server.lineage, server.now
        from (select lineage() as lineage, now_ms() as now) as server,
          json_array_elements_text(${JSON.stringify(channels.map(keyOf))}::text::json) with ordinality as a(channel, nth)
        left join channels c on c.channel = a.channel and c.expires_at > now_ms() order by nth`;
      return rows.map(({ epoch, last_offset, lineage, heard_at, now }) => ({
        ...{ epoch: epoch ?? "", offset: last_offset ?? 0, lineage },
        ...(heard_at !== null && { heardAt: heard_at, brokerNow: now }),
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

  requestCancel(channel: AnalysisChannel, request: CancelRequest): Promise<"requested" | "ended"> {
    const { publishing, history } = this.#options;
    const terms = { schema: publishing.schema, ttlMs: history.ttlMs };
    return this.#writing(channel, (sql) => requestCancel(sql, channel, request, terms));
  }

  signOfLife(channel: AnalysisChannel, attemptId?: string): Promise<WorkerAnswer> {
    return this.#writing(channel, (sql) => signOfLife(sql, channel, attemptId));
  }

  health(): BrokerHealth {
    const newer: BrokerTrouble | undefined = this.#newer && { cause: "newer_format" };
    const away = this.#options.listener.trouble ?? newer;
    if (away !== undefined) return { status: "down", ...faultOf(away), warnings: [] };
    const refuses = this.#trials.trouble;
    return { status: "up", ...(refuses && { refuses: faultOf(refuses) }), warnings: [] };
  }

  async close(): Promise<void> {
    this.#stopTidying();
    this.#stopTrials();
    this.#trials.close();
    this.#subscriptions.close();
    this.#options.listener.close();
    this.#options.publishing.close();
    this.#options.reading.close();
  }

  async #writing<Answer>(channel: ChannelName, write: (sql: ReservedSql) => Promise<Answer>) {
    try {
      return await this.#noting(channel, this.#options.publishing.attempt(write, WRITE_MS));
    } catch (error) {
      throw unknown(error);
    }
  }

  async #noting<Answer>(channel: ChannelName, asked: Promise<Answer>): Promise<Answer> {
    try {
      return await asked;
    } catch (error) {
      if (error instanceof NewerFormat) this.#newer = channel;
      throw error;
    }
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
      await tidy(sql);
      if (newer === undefined) return;
      const there = await sql`select 1 from channels where channel = ${keyOf(newer)} and format > ${FORMAT}`;
      if (there.length === 0) this.#newer = undefined;
    });
  }
}

function faultOf(trouble: BrokerTrouble): BrokerFault {
  return { cause: trouble.cause, reason: wordsOf(trouble) };
}
