import { createHash } from "node:crypto";
import type { ReservedSql, Sql } from "postgres";
import { type AppendCall, AppendQueue, randomEpoch } from "telltale/adapter";
import {
  type AppendOutcome,
  type AppendRequest,
  type BrokerContext,
  BrokerUnavailable,
  type RequestKey,
} from "telltale/ports";
import { type ChannelRow, ENDED, keyOf, recordOf } from "./channel-rows.ts";
import type { Database } from "./database.ts";
import { isAnswer, NoAnswer, unavailable, unknown } from "./failures.ts";
import { type Judgement, judge, type KeptRecord, type Remembered, scopeOf } from "./judge.ts";
import { encode } from "./notifications.ts";
import { undo } from "./transaction.ts";

interface AppendsOptions {
  readonly database: Database;
  readonly history: BrokerContext["history"];
}

/** PostgreSQL stores nothing of a call later than this after it was made, in milliseconds, by its own clock. */
const CALL_MS = 1_500;
/** The gateway waits so long for the answer, and then gives the call up or learns that it was stored. */
const ANSWER_MS = 2_500;
const GIVE_UP_MS = 1_500;
const ASK_AGAIN_MS = 50;

/**
 * Appends, each call in one transaction. It holds the row of its channel from the judgement to the commit, so appends to a
 * channel come one after the other, over all gateways.
 */
export class Appends {
  readonly #options: AppendsOptions;
  readonly #queue: AppendQueue;

  constructor(options: AppendsOptions) {
    this.#options = options;
    this.#queue = new AppendQueue({
      carryOut: (call) => this.#carryOut(call),
      now: () => performance.now(),
    });
  }

  append(request: AppendRequest): Promise<AppendOutcome> {
    const { deduplicate: key } = request;
    if (key?.by !== "key") return this.#queue.append(request);
    // A name of any length and of any characters becomes one that a key column takes.
    return this.#queue.append({ ...request, deduplicate: { ...key, name: digest(key.name) } });
  }

  async #carryOut(call: AppendCall): Promise<readonly AppendOutcome[]> {
    const left = ANSWER_MS - (performance.now() - call.calledAt);
    if (left <= 0) throw new BrokerUnavailable("not sent in time", { trouble: { cause: "late" } });
    const id = crypto.randomUUID();
    const state = { committing: false, givenUp: false };
    try {
      return await this.#options.database.attempt((sql) => this.#store(sql, call, id, state), left);
    } catch (error) {
      state.givenUp = true;
      if (!state.committing || isAnswer(error)) throw unavailable(error);
      return await this.#giveUp(id, error);
    }
  }

  /** Two round trips: hold and read the channel, then write and commit. */
  async #store(
    sql: ReservedSql,
    call: AppendCall,
    id: string,
    state: { committing: boolean; givenUp: boolean },
  ): Promise<readonly AppendOutcome[]> {
    const key = keyOf(call.channel);
    const names = namesIn(call, key);
    try {
      const { record, now, lineage, seen, expired } = await this.#hold(sql, call, key, names);
      const judgement = judge(call.requests, record, {
        ...{ channel: key, now, lineage, seen },
        newEpoch: randomEpoch(),
        historySize: this.#options.history.size,
      });
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
        ...this.#write(sql, key, record, judgement, now),
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

  async #hold(sql: ReservedSql, call: AppendCall, key: string, names: readonly Name[]) {
    const notices = names.filter(({ scope }) => scope === "notices").map(({ name }) => name);
    const answers = await pipelined([
      sql`begin`,
      // The names of notices are known on every channel, so the row of one channel does not guard them.
      ...(notices.length === 0 ? [] : [lockNames(sql, notices)]),
      // It changes nothing of a row that is there, and locks it as SELECT … FOR UPDATE does, or makes it.
      sql`insert into channels (channel) values (${key})
          on conflict (channel) do update set channel = excluded.channel where false`,
      // A statement of its own: one that has waited for the row still sees the other tables as they were before.
      sql`select format, lineage, epoch, last_offset, oldest, spans, stages, attempts,
            current_terminal is not null as ended, last_entry, heard_at, expires_at,
            now_ms() as now, lineage() as lineage_now
          from channels where channel = ${key}`,
      sql`select scope, name, place, at, until from requests where (scope, name) in
            (select scope, name from json_to_recordset(${JSON.stringify(names)}::text::json)
               as n(scope text, name text))`,
    ]);
    const [row] = answers.at(-2) as unknown as [ChannelRow & { lineage_now: string }];
    const kept = answers.at(-1) as unknown as (Omit<Remembered, "place"> & { place: string })[];
    const expired = row.expires_at <= row.now;
    const seen = kept
      .filter(({ scope }) => !(expired && scope === key))
      .map((one): Remembered => ({ ...one, place: JSON.parse(one.place) }));
    return { record: recordOf(row, call.channel), now: row.now, lineage: row.lineage_now, seen, expired };
  }

  #forget(sql: Sql, key: string) {
    return [
      sql`delete from events where channel = ${key}`,
      sql`delete from requests where scope = ${key}`,
      sql`update channels set last_status = null, current_terminal = null, last_entry = null where channel = ${key}`,
    ];
  }

  #write(sql: Sql, key: string, record: KeptRecord, { events, remembered }: Judgement, now: number) {
    if (events.length === 0) return [sql`update channels set heard_at = ${now} where channel = ${key}`];
    const until = now + this.#options.history.ttlMs;
    const { lastStatus, currentTerminal: end } = record;
    const rows = events.map(({ position, kind, reopens, text }) => ({
      o: position.offset,
      kind,
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
            oldest = ${record.oldest}, spans = ${JSON.stringify(record.spans)},
            stages = ${JSON.stringify(record.stages)}, attempts = ${JSON.stringify(record.attempts)},
            last_status = coalesce(${textOf(lastStatus)}, last_status),
            current_terminal = case when ${end === ENDED} then current_terminal else ${textOf(end)} end,
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

  /**
   * The answer to the commit is lost. The gateway takes the id of the call: if it gets it, the call can never be stored,
   * since its own entry would be the second one. If the id is taken the call was stored, and its outcomes are beside it.
   */
  async #giveUp(id: string, cause: unknown): Promise<readonly AppendOutcome[]> {
    const until = performance.now() + GIVE_UP_MS;
    let outcomes: string | null | undefined;
    for (;;) {
      try {
        outcomes = await this.#options.database.attempt(async (sql) => {
          const taken = await sql`
            insert into calls (id, outcomes, at) values (${id}, null, now_ms()) on conflict do nothing returning id`;
          if (taken.length > 0) return null;
          const [kept] = await sql<
            { outcomes: string | null }[]
          >`select outcomes from calls where id = ${id}`;
          return kept?.outcomes;
        }, until - performance.now());
        break;
      } catch (error) {
        // It may be asked again as often as one likes: the id is taken once.
        if (error instanceof NoAnswer || performance.now() + ASK_AGAIN_MS > until) throw unknown(cause);
        await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      }
    }
    // A row that was given up before has no outcomes either.
    if (typeof outcomes !== "string") throw unavailable(cause);
    return JSON.parse(outcomes);
  }
}

interface Name {
  readonly scope: string;
  readonly name: string;
}

function namesIn({ requests }: AppendCall, channel: string): Name[] {
  return requests
    .map(({ deduplicate }) => deduplicate)
    .filter((key): key is RequestKey => key?.by === "key")
    .map((key) => ({ scope: scopeOf(key, channel), name: key.name }));
}

/** In one order everywhere, so that no two transactions wait for each other. */
function lockNames(sql: Sql, names: readonly string[]) {
  return sql`select pg_advisory_xact_lock(lock) from
    (select distinct hashtextextended('telltale notice ' || name, 0) as lock
     from json_array_elements_text(${JSON.stringify(names)}::text::json) as n(name) order by 1) as locks`;
}

function remember(sql: Sql, remembered: readonly Remembered[]) {
  const rows = remembered.map((one) => ({ ...one, place: JSON.stringify(one.place) }));
  return sql`insert into requests (scope, name, place, at, until)
    select scope, name, place, at, until from json_to_recordset(${JSON.stringify(rows)}::text::json)
      as r(scope text, name text, place text, at bigint, until bigint)
    on conflict (scope, name) do update set place = excluded.place, at = excluded.at, until = excluded.until`;
}

function textOf(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function digest(name: string): string {
  return createHash("sha256").update(name).digest("base64");
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
