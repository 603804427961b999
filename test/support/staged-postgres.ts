import postgres, { type Sql } from "postgres";
import { type RunningPostgres, startPostgres } from "./postgres-server.ts";
import type { Address, StagedBroker, WorkerAnswer, WorkerConnection, WorkerLane } from "./staged-broker.ts";
import { StagedServer } from "./staged-server.ts";

const MODULE = "module:./examples/postgres-broker/src/broker.ts";

/** One PostgreSQL behind the adapter from outside. Its workers publish by a function in a transaction of their own. */
export class StagedPostgres extends StagedServer<RunningPostgres> implements StagedBroker {
  readonly lanes = ["inbox"] as const;
  readonly keepsBareMessages = true;
  readonly recognisesRetries = false;
  readonly burst = 20_000;
  readonly listenersOf = undefined;
  static async start(options: Parameters<typeof startPostgres>[0] = {}): Promise<StagedPostgres> {
    return new StagedPostgres(await startPostgres(options));
  }

  settingsFor(address: Address): Record<string, string> {
    return { BROKER: MODULE, POSTGRES_URL: urlOf(address) };
  }

  connectWorker(address: Address): WorkerConnection {
    return new PostgresWorker(address);
  }

  async deadLetters(): Promise<number> {
    const [row] = await this.ask((sql) => sql`select count(*)::int as kept from telltale.dead_letters`);
    return row?.kept;
  }

  /** Asks on a connection of its own, as the owner of everything. */
  async ask<Answer>(question: (sql: Sql) => PromiseLike<Answer>): Promise<Answer> {
    const sql = postgres(this.server.url, { max: 1, onnotice: () => {} });
    try {
      return await question(sql);
    } finally {
      await sql.end({ timeout: 1 });
    }
  }
}

const ANSWER_WITHIN_SECONDS = 2;

class PostgresWorker implements WorkerConnection {
  readonly #sql: Sql;

  constructor(address: Address) {
    this.#sql = postgres(urlOf(address), {
      // One connection keeps the order of the messages.
      max: 1,
      connect_timeout: ANSWER_WITHIN_SECONDS,
      backoff: () => 0.05,
      onnotice: () => {},
      connection: { statement_timeout: ANSWER_WITHIN_SECONDS * 1_000 } as never,
    });
  }

  async publish(_: WorkerLane, __: string, payload: string | Uint8Array): Promise<WorkerAnswer> {
    if (typeof payload !== "string") return "refused";
    try {
      await this.#sql`select telltale.telltale_publish(${payload}::text::json)`;
      return "taken";
    } catch (error) {
      // The server said no, or nobody reached it.
      if (error instanceof postgres.PostgresError) return error.code === "57014" ? "unknown" : "refused";
      return (error as { code?: unknown }).code === "CONNECT_TIMEOUT" ? "refused" : "unknown";
    }
  }

  close(): void {
    void this.#sql.end({ timeout: 0 });
  }
}

function urlOf({ host, port }: Address): string {
  return `postgres://postgres@${host}:${port}/postgres`;
}
