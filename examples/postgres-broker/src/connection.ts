import postgres, { type ReservedSql, type Sql } from "postgres";
import { reasonOf } from "telltale/adapter";
import type { TelemetryPort } from "telltale/ports";
import { hasSchema, makeSchema } from "./schema.ts";
import type { Settings } from "./settings.ts";

/**
 * One connection, for one piece of work at a time. It is never made anew: a statement that waits while a connection is lost
 * must not go to the next one, for there it would be outside its transaction.
 */
export class Connection {
  readonly #telemetry: TelemetryPort;
  readonly #pool: Sql;
  readonly #lost = Promise.withResolvers<never>();
  #sql: ReservedSql | undefined;
  #isOpen = true;

  constructor(settings: Settings, purpose: string, telemetry: TelemetryPort) {
    this.#telemetry = telemetry;
    // Nobody may be waiting for the loss when it comes.
    this.#lost.promise.catch(() => {});
    this.#pool = connect(settings, `telltale ${purpose}`, {
      onclose: () => this.#close(new Error("the connection was closed")),
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Connects, and makes the schema if it is missing. Rejects as soon as the connection is lost. */
  make(schema: string): Promise<void> {
    return Promise.race([this.#make(schema), this.#lost.promise]);
  }

  /** Does `work` once `make` has resolved. Rejects as soon as the connection is lost, whatever the work waits for. */
  run<Answer>(work: (sql: ReservedSql) => Promise<Answer>): Promise<Answer> {
    if (this.#sql === undefined) throw new Error("the connection was not made");
    return Promise.race([work(this.#sql), this.#lost.promise]);
  }

  /** Ends it at once, whether PostgreSQL answers or not. Idempotent. */
  end(why: Error): void {
    if (!this.#isOpen) return;
    this.#close(why);
    endNow(this.#pool, this.#telemetry);
  }

  async #make(schema: string): Promise<void> {
    if (this.#sql !== undefined) return;
    // Without a statement before it, a connection is never given away: the package waits for types that it does not ask for.
    const isThere = await hasSchema(this.#pool, schema);
    const sql = this.#guarded(await this.#pool.reserve());
    if (!isThere) await makeSchema(sql, schema);
    this.#sql = sql;
  }

  /** The package `postgres` throws outside of any promise if a statement is sent on a reserved connection that was closed. */
  #guarded(sql: ReservedSql): ReservedSql {
    const assertOpen = () => {
      if (!this.#isOpen) throw new Error("the connection was closed");
    };
    return new Proxy(sql, {
      apply: (target, self, given) => {
        assertOpen();
        return Reflect.apply(target, self, given);
      },
      get: (target, name) => {
        if (name === "unsafe") assertOpen();
        return Reflect.get(target, name);
      },
    });
  }

  #close(why: Error): void {
    this.#isOpen = false;
    this.#lost.reject(why);
  }
}

/** How long a connection may take to be made, in milliseconds: longer than some of the work that needs it may take. */
export const MAKE_MS = 3_000;

/** Connects once, as all of this adapter does. `more` wins. */
export function connect(
  { url, schema }: Settings,
  name: string,
  more: postgres.Options<Record<string, never>>,
): Sql {
  return postgres(url, {
    max: 1,
    connect_timeout: MAKE_MS / 1_000,
    idle_timeout: 0,
    max_lifetime: null,
    fetch_types: false,
    onnotice: () => {},
    // Offsets and milliseconds fit into a number.
    types: { bigint: { to: 20, from: [20], serialize: String, parse: Number } } as never,
    connection: {
      application_name: name,
      search_path: schema,
      synchronous_commit: "on",
      lock_timeout: 1_500,
      // A gateway that stands still in a transaction would keep a channel from all others.
      idle_in_transaction_session_timeout: 3_000,
    } as never,
    ...more,
  });
}

/** Ends connections, whether PostgreSQL answers or not. */
export function endNow(sql: Sql, telemetry: TelemetryPort): void {
  sql
    .end({ timeout: 0 })
    .catch((error: unknown) =>
      telemetry.log("debug", "a connection to PostgreSQL did not end", { reason: reasonOf(error) }),
    );
}
