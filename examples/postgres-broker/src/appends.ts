import type { ReservedSql, Sql } from "postgres";
import {
  type AppendCall,
  AppendQueue,
  cancelInForce,
  cancelOfText,
  randomEpoch,
  storedKindOf,
} from "telltale/adapter";
import {
  type AppendOutcome,
  type AppendRequest,
  type BrokerContext,
  BrokerUnavailable,
  type ChannelName,
  type EncodedEvent,
} from "telltale/ports";
import { cancelled, keepCancel } from "./cancels.ts";
import { type ChannelRow, ENDED, keyOf, recordOf, textOfEvent } from "./channel-rows.ts";
import type { Database } from "./database.ts";
import { isAnswer, NoAnswer, unavailable } from "./failures.ts";
import { type Judgement, judge, type KeptRecord, type Remembered } from "./judge.ts";
import { giveUp } from "./lost-answers.ts";
import { encode } from "./notifications.ts";
import { lockNames, namesIn, remember, withShortName } from "./request-keys.ts";
import { undo } from "./transaction.ts";

interface AppendsOptions {
  readonly database: Database;
  readonly history: BrokerContext["history"];
}

interface LimitedCall extends AppendCall {
  readonly history: BrokerContext["history"];
}

/** PostgreSQL stores nothing of a call later than this after it was made, in milliseconds, by its own clock. */
const CALL_MS = 1_500;
/** The gateway waits so long for the answer, and then gives the call up or learns that it was stored. */
const ANSWER_MS = 2_500;
/** Then it says that it does not know. A publisher is answered within five seconds, also by a busy gateway. */
const KNOWN_MS = 4_000;

const TRIAL_EVENT: EncodedEvent = {
  kind: "status",
  stage: "initializing",
  timestamp: "1970-01-01T00:00:00Z",
  attemptId: undefined,
  members: '"event_type":"none"}',
};
const TRIAL_KEY = { by: "key", name: "try", scope: "channel", windowMs: 1, rememberMs: 1 } as const;

/**
 * Appends, each call in one transaction. It holds the row of its channel from the judgement to the commit, so appends to a
 * channel come one after the other, over all gateways.
 */
export class Appends {
  readonly #options: AppendsOptions;
  readonly #queue: AppendQueue;
  #trialChannel = trialChannel();

  constructor(options: AppendsOptions) {
    this.#options = options;
    this.#queue = new AppendQueue({
      carryOut: (call) => this.#carryOut({ ...call, history: options.history }),
      now: () => performance.now(),
    });
  }

  append(request: AppendRequest): Promise<AppendOutcome> {
    return this.#queue.append(withShortName(request));
  }

  /**
   * Appends an event to a channel of this node's own, which has expired a moment later. It uses what every append uses.
   * Rejects as an append does.
   */
  async try(): Promise<void> {
    const channel = this.#trialChannel;
    try {
      await this.#carryOut({
        channel,
        requests: [{ channel, events: [TRIAL_EVENT], deduplicate: TRIAL_KEY }],
        acknowledged: true,
        calledAt: performance.now(),
        history: { size: 1, ttlMs: 1 },
      });
    } catch (error) {
      // PostgreSQL may still hold the row for the one that failed.
      this.#trialChannel = trialChannel();
      throw error;
    }
  }

  async #carryOut(call: LimitedCall): Promise<readonly AppendOutcome[]> {
    const left = ANSWER_MS - (performance.now() - call.calledAt);
    if (left <= 0) throw new BrokerUnavailable("not sent in time", { trouble: { cause: "late" } });
    const id = crypto.randomUUID();
    const state = { committing: false, givenUp: false };
    try {
      return await this.#options.database.attempt((sql) => this.#store(sql, call, id, state), left);
    } catch (error) {
      state.givenUp = true;
      if (!state.committing || isAnswer(error)) throw unavailable(error);
      return await giveUp(this.#options.database, id, error, call.calledAt + KNOWN_MS);
    }
  }

  /** Two round trips: hold and read the channel, then write and commit. */
  async #store(
    sql: ReservedSql,
    call: LimitedCall,
    id: string,
    state: { committing: boolean; givenUp: boolean },
  ): Promise<readonly AppendOutcome[]> {
    const key = keyOf(call.channel);
    const names = namesIn(call.requests, key);
    try {
      const { record, now, lineage, seen, expired, cancel } = await this.#hold(sql, call, key, names);
      const judged = judge(call.requests, record, {
        ...{ channel: key, now, lineage, seen },
        newEpoch: randomEpoch(),
        historySize: call.history.size,
      });
      const isCancelled = cancelInForce(cancel, record) !== undefined;
      const judgement = isCancelled ? { ...judged, outcomes: judged.outcomes.map(cancelled) } : judged;
      // The call was told to have failed meanwhile: nothing of it may be stored from now on.
      if (state.givenUp) throw new NoAnswer("given up");
      if (!judgement.heard) {
        await sql`rollback`;
        return judgement.outcomes;
      }
      const deadline = Math.floor(now + Math.max(0, CALL_MS - (performance.now() - call.calledAt)));
      state.committing = true;
      await pipelined([
        ...(expired ? this.#forget(sql, key) : []),
        ...this.#write(sql, key, record, judgement, now + call.history.ttlMs, now),
        ...(cancel === undefined ? [] : [keepCancel(sql, key, isCancelled ? now + call.history.ttlMs : now)]),
        ...this.#notify(sql, call, judgement),
        sql`insert into calls (id, outcomes, at) values (${id}, ${JSON.stringify(judgement.outcomes)}, ${now})`,
        // The last thing before the commit, and both travel together.
        sql`select assert_before(${deadline})`,
        sql`commit`,
      ]);
      return judgement.outcomes;
    } catch (error) {
      await undo(sql, error);
      throw error;
    }
  }

  async #hold(sql: ReservedSql, call: AppendCall, key: string, names: ReturnType<typeof namesIn>) {
    const notices = names.filter(({ scope }) => scope === "notices").map(({ name }) => name);
    const answers = await pipelined([
      sql`begin`,
      // The names of notices are known on every channel, so the row of one channel does not guard them.
      ...(notices.length === 0 ? [] : [lockNames(sql, notices)]),
      // It changes nothing of a row that is there, and locks it as SELECT … FOR UPDATE does, or makes it.
      sql`insert into channels (channel) values (${key})
          on conflict (channel) do update set channel = excluded.channel where false`,
      // A statement of its own: one that has waited for the row still sees the other tables as they were before.
      sql`select request from cancels where channel = ${key} and expires_at > now_ms()`,
      sql`select format, lineage, epoch, last_offset, oldest, spans, stages, attempts, run,
            current_terminal is not null as ended, last_entry, heard_at, expires_at,
            now_ms() as now, lineage() as lineage_now
          from channels where channel = ${key}`,
      sql`select scope, name, place, at, until from requests where (scope, name) in
            (select scope, name from json_to_recordset(${JSON.stringify(names)}::text::json)
               as n(scope text, name text))`,
    ]);
    const [row] = answers.at(-2) as unknown as [ChannelRow & { lineage_now: string }];
    const [cancel] = answers.at(-3) as unknown as { request: string }[];
    const kept = answers.at(-1) as unknown as (Omit<Remembered, "place"> & { place: string })[];
    const expired = row.expires_at <= row.now;
    const seen = kept
      .filter(({ scope }) => !(expired && scope === key))
      .map((one): Remembered => ({ ...one, place: JSON.parse(one.place) }));
    return {
      ...{ record: recordOf(row, call.channel), now: row.now, lineage: row.lineage_now, seen, expired },
      cancel: cancel && cancelOfText(cancel.request),
    };
  }

  #forget(sql: Sql, key: string) {
    return [
      sql`delete from events where channel = ${key}`,
      sql`delete from requests where scope = ${key}`,
      sql`update channels set last_status = null, current_terminal = null, last_entry = null where channel = ${key}`,
    ];
  }

  #write(
    sql: Sql,
    key: string,
    record: KeptRecord,
    { events, remembered }: Judgement,
    until: number,
    now: number,
  ) {
    if (events.length === 0) return [sql`update channels set heard_at = ${now} where channel = ${key}`];
    const { lastStatus, currentTerminal: end } = record;
    const rows = events.map(({ position, kind, reopens, text }) => ({
      o: position.offset,
      kind: storedKindOf(kind),
      reopens,
      text,
    }));
    return [
      sql`insert into events (channel, event_offset, kind, reopens, bytes, text)
          select ${key}, o, kind, reopens, octet_length(text), text
          from json_to_recordset(${JSON.stringify(rows)}::text::json)
            as e(o bigint, kind text, reopens boolean, text text)`,
      sql`delete from events where channel = ${key} and event_offset < ${record.oldest}`,
      sql`update channels set lineage = ${record.lineage}, epoch = ${record.epoch}, last_offset = ${record.offset},
            oldest = ${record.oldest}, spans = ${JSON.stringify(record.spans)}, run = ${JSON.stringify(record.run)},
            stages = ${JSON.stringify(record.stages)}, attempts = ${JSON.stringify(record.attempts)},
            last_status = coalesce(${textOfEvent(lastStatus)}, last_status),
            current_terminal = case when ${end === ENDED} then current_terminal else ${textOfEvent(end)} end,
            last_entry = ${textOf(record.lastEntry)}, heard_at = ${now}, expires_at = ${until}
          where channel = ${key}`,
      sql`update viewers set expires_at = ${until} where channel = ${key} and expires_at > ${now}`,
      ...(remembered.length === 0 ? [] : [remember(sql, remembered)]),
    ];
  }

  #notify(sql: Sql, { channel }: AppendCall, { events }: Judgement) {
    if (events.length === 0) return [];
    const payloads = events.map((event) => encode({ type: "event", channel: keyOf(channel), event }));
    return [
      sql`select pg_notify(${this.#options.database.schema}, payload)
          from json_array_elements_text(${JSON.stringify(payloads)}::text::json) as p(payload)`,
    ];
  }
}

/** No analysis, user or system has it. The port knows no such channel. */
function trialChannel(): ChannelName {
  return `try:${crypto.randomUUID()}` as ChannelName;
}

function textOf(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

/** Sends all of them in one go, and resolves when all are answered. Rejects with the first failure: the others follow from it. */
async function pipelined<Query extends PromiseLike<unknown>>(
  queries: readonly Query[],
): Promise<Awaited<Query>[]> {
  const answers = await Promise.allSettled(queries);
  const failed = answers.find((answer) => answer.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return answers.map((answer) => (answer as PromiseFulfilledResult<Awaited<Query>>).value);
}
