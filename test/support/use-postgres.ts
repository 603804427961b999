import { afterAll, afterEach, beforeAll } from "bun:test";
import postgres, { type Sql } from "postgres";
import { openBroker } from "../../examples/postgres-broker/src/broker.ts";
import { SystemClock } from "../../src/adapters/system/system-clock.ts";
import { closeBroker } from "../../src/application/ports/broker-ports.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { type RunningPostgres, startPostgres } from "./postgres-server.ts";

/**
 * A PostgreSQL for the tests of one `describe`: it starts before the first and ends after the last of them. Call it in the
 * `describe`, before other hooks; everything is there once the tests run.
 */
export function usePostgres(): PostgresInUse {
  const inUse = new PostgresInUse();
  beforeAll(() => inUse.start(), 60_000);
  afterEach(() => inUse.endTest());
  afterAll(() => inUse.end());
  return inUse;
}

type Ending = () => unknown;

/** Use `usePostgres`. */
export class PostgresInUse {
  readonly #afterTest: Ending[] = [];
  #server: RunningPostgres | undefined;
  #schemas = 0;

  async start(): Promise<void> {
    this.#server = await startPostgres();
  }

  get server(): RunningPostgres {
    if (this.#server === undefined) throw new Error("the PostgreSQL of the tests has not started");
    return this.#server;
  }

  /** The name of a schema that no other test has. */
  schema(): string {
    return `test_${++this.#schemas}`;
  }

  /** Connections of the tests' own, to one schema. They end after the test. */
  client(schema: string): Sql {
    return this.clientOf("postgres", schema);
  }

  /** The same for another user than the owner of everything. */
  clientOf(user: string, schema = "public"): Sql {
    const sql = postgres(this.server.url, {
      user,
      max: 4,
      onnotice: () => {},
      connection: { search_path: schema } as never,
    });
    this.afterTest(() => sql.end({ timeout: 0 }));
    return sql;
  }

  /** A bundle of the adapter, with these settings. It is closed after the test. */
  broker(env: Record<string, string>, telemetry = new CollectingTelemetry()): ReturnType<typeof openBroker> {
    const broker = openBroker({
      env: { POSTGRES_URL: this.server.url, ...env },
      clock: new SystemClock(),
      telemetry,
      history: { size: 1_000, ttlMs: 3_600_000 },
      listen: new Set(),
    });
    this.afterTest(() => closeBroker(broker));
    return broker;
  }

  /** Does this after the running test; the last one first. */
  afterTest(ending: Ending): void {
    this.#afterTest.push(ending);
  }

  async endTest(): Promise<void> {
    for (const ending of this.#afterTest.splice(0).reverse()) await ending();
  }

  async end(): Promise<void> {
    await this.#server?.stop();
  }
}
