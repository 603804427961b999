import type { ReservedSql } from "postgres";
import {
  type AnalysisChannel,
  type IndexedAnalysis,
  MOST_INDEXED,
  type RunningIndexPort,
} from "telltale/ports";
import { keyOf } from "./channel-rows.ts";
import type { Database } from "./database.ts";
import { unknown } from "./failures.ts";

const WRITE_MS = 2_000;

/** `RunningIndexPort` in the table `running`. The name of an analysis is its key there. */
export class PostgresRunningIndex implements RunningIndexPort {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  put({ channel, dueAt }: IndexedAnalysis): Promise<boolean> {
    const key = keyOf(channel);
    return this.#write(async (sql) => {
      const moved = await sql`update running set due_at = ${dueAt} where channel = ${key} returning 1`;
      if (moved.length > 0) return true;
      const taken = await sql`
        insert into running (channel, due_at) select ${key}, ${dueAt}
        where (select count(*) from running) < ${MOST_INDEXED}
        on conflict (channel) do update set due_at = excluded.due_at returning 1`;
      return taken.length > 0;
    });
  }

  due(now: number, limit: number): Promise<readonly IndexedAnalysis[]> {
    return this.#database.read(async (sql) => {
      const rows = await sql<{ channel: AnalysisChannel; due_at: number }[]>`
        select channel, due_at from running where due_at <= ${now} order by due_at limit ${limit}`;
      return rows.map(({ channel, due_at }) => ({ channel, dueAt: due_at }));
    });
  }

  settle({ channel, dueAt: read }: IndexedAnalysis, dueAt: number | undefined): Promise<void> {
    const key = keyOf(channel);
    return this.#write(async (sql) => {
      if (dueAt === undefined) await sql`delete from running where channel = ${key} and due_at = ${read}`;
      else await sql`update running set due_at = ${dueAt} where channel = ${key} and due_at = ${read}`;
    });
  }

  async #write<Answer>(work: (sql: ReservedSql) => Promise<Answer>): Promise<Answer> {
    try {
      return await this.#database.attempt(work, WRITE_MS);
    } catch (error) {
      throw unknown(error);
    }
  }
}
