import postgres, { type ReservedSql, type Sql } from "postgres";
import { reasonOf } from "telltale/adapter";
import type { ClockPort, TelemetryPort } from "telltale/ports";
import { NoAnswer, unavailable } from "./failures.ts";
import { makeSchema } from "./schema.ts";
import type { Settings } from "./settings.ts";

interface DatabaseOptions {
  readonly settings: Settings;
  /** Names the connections in PostgreSQL's own lists. */
  readonly purpose: string;
  readonly connections: number;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/** How long a read may take, in milliseconds. */
const READ_MS = 3_000;

/** Some connections to PostgreSQL, made at the first use. If one does not answer, all of them are made anew. */
export class Database {
  readonly schema: string;
  readonly #options: DatabaseOptions;
  #sql: Sql | undefined;
  #made: Promise<void> | undefined;
  #closed = false;

  constructor(options: DatabaseOptions) {
    this.#options = options;
    this.schema = options.settings.schema;
  }

  /** Resolves as `work` does. If it fails nothing was stored, or nothing that matters: it rejects with `BrokerUnavailable`. */
  async read<Answer>(work: (sql: Sql) => Promise<Answer>, withinMs = READ_MS): Promise<Answer> {
    try {
      return await this.attempt(work, withinMs);
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Resolves and rejects as `work` does, or with `NoAnswer` after `withinMs`. */
  async attempt<Answer>(work: (sql: Sql) => Promise<Answer>, withinMs: number): Promise<Answer> {
    if (this.#closed) throw closed();
    const sql = this.#connected();
    const working = this.#ready(sql).then(() => work(sql));
    const late = Promise.withResolvers<never>();
    const cancel = this.#options.clock.after(withinMs, () => {
      late.reject(new NoAnswer(`no answer within ${withinMs} ms`));
      this.#discard(sql);
    });
    try {
      return await Promise.race([working, late.promise]);
    } finally {
      cancel();
    }
  }

  /** Does `work` on one connection, by itself. It must end every transaction that it begins. */
  onOneConnection<Answer>(work: (sql: ReservedSql) => Promise<Answer>, withinMs: number): Promise<Answer> {
    return this.attempt(async (sql) => {
      const reserved = await sql.reserve();
      try {
        return await work(reserved);
      } finally {
        reserved.release();
      }
    }, withinMs);
  }

  /** Ends the connections at once. Idempotent. */
  close(): void {
    this.#closed = true;
    if (this.#sql !== undefined) this.#discard(this.#sql);
  }

  #connected(): Sql {
    const { settings, purpose, connections } = this.#options;
    this.#sql ??= connect(settings, `telltale ${purpose}`, { max: connections });
    return this.#sql;
  }

  /** The tables are there once they were made or found. */
  #ready(sql: Sql): Promise<void> {
    this.#made ??= makeSchema(sql, this.schema).catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  #discard(sql: Sql): void {
    if (this.#sql === sql) {
      this.#sql = undefined;
      this.#made = undefined;
    }
    endNow(sql, this.#options.telemetry);
  }
}

/** Connects as all of this adapter does. `more` wins. */
export function connect(
  { url, schema }: Settings,
  name: string,
  more: postgres.Options<{ bigint: postgres.PostgresType<number> }>,
): Sql {
  return postgres(url, {
    connect_timeout: 2,
    // A connection that failed is tried again so many seconds later.
    backoff: () => 0.2,
    idle_timeout: 0,
    fetch_types: false,
    onnotice: () => {},
    // Offsets and milliseconds fit into a number.
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } },
    connection: {
      application_name: name,
      search_path: schema,
      synchronous_commit: "on",
      lock_timeout: 1_500,
      // A gateway that stands still in a transaction would keep a channel from all others.
      idle_in_transaction_session_timeout: 3_000,
    } as never,
    ...more,
  }) as unknown as Sql;
}

/** Ends connections, whether PostgreSQL answers or not. */
export function endNow(sql: Sql, telemetry: TelemetryPort): void {
  sql
    .end({ timeout: 0 })
    .catch((error: unknown) =>
      telemetry.log("debug", "a connection to PostgreSQL did not end", { reason: reasonOf(error) }),
    );
}

export function closed(): Error {
  return unavailable(Object.assign(new Error("closed"), { code: "CLOSED" }));
}
