import type { ReservedSql } from "postgres";
import { Slots } from "telltale/adapter";
import type { ClockPort, TelemetryPort } from "telltale/ports";
import { Connection, MAKE_MS } from "./connection.ts";
import { closed, isAnswer, isOurs, NoAnswer, unavailable } from "./failures.ts";
import type { Settings } from "./settings.ts";

interface DatabaseOptions {
  readonly settings: Settings;
  /** Names the connections in PostgreSQL's own lists. */
  readonly purpose: string;
  /** The most connections at a time. */
  readonly connections: number;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/** How long a read may take, in milliseconds. */
const READ_MS = 3_000;

/**
 * Some connections to PostgreSQL, each made when it is needed. One that does not answer is given up. One that is made too late
 * for the work that asked for it waits for the next: a busy server takes seconds for a connection, and each that is given up
 * costs it another.
 */
export class Database {
  readonly schema: string;
  readonly #options: DatabaseOptions;
  readonly #slots: Slots;
  readonly #connections = new Set<Connection>();
  #idle: Connection[] = [];
  #closed = false;

  constructor(options: DatabaseOptions) {
    this.#options = options;
    this.schema = options.settings.schema;
    this.#slots = new Slots(options.connections);
  }

  /** Resolves as `work` does. If it fails nothing was stored, or nothing that matters: it rejects with `BrokerUnavailable`. */
  async read<Answer>(work: (sql: ReservedSql) => Promise<Answer>, withinMs = READ_MS): Promise<Answer> {
    try {
      return await this.attempt(work, withinMs);
    } catch (error) {
      throw unavailable(error);
    }
  }

  /**
   * Does `work` on a connection of its own, and resolves and rejects as it does, or with `NoAnswer` after `withinMs`. If the
   * work begins a transaction, it ends it (`inTransaction`).
   */
  async attempt<Answer>(work: (sql: ReservedSql) => Promise<Answer>, withinMs: number): Promise<Answer> {
    if (this.#closed) throw closed();
    let connection: Connection | undefined;
    let isLate = false;
    const late = Promise.withResolvers<never>();
    const cancel = this.#options.clock.after(withinMs, () => {
      isLate = true;
      const error = new NoAnswer(`no answer within ${Math.round(withinMs)} ms`);
      late.reject(error);
      connection?.end(error);
    });
    const working = this.#slots.run(async () => {
      if (isLate) throw new NoAnswer("no connection was free in time");
      const made = await this.#made();
      if (isLate) {
        this.#putBack(made);
        throw new NoAnswer("no connection was made in time");
      }
      connection = made;
      return this.#use(made, work);
    });
    try {
      return await Promise.race([working, late.promise]);
    } finally {
      cancel();
    }
  }

  /** Ends the connections at once. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.end(closed());
    this.#connections.clear();
  }

  async #use<Answer>(connection: Connection, work: (sql: ReservedSql) => Promise<Answer>): Promise<Answer> {
    try {
      return await connection.run(work);
    } catch (error) {
      // After anything but an answer nobody knows what is still on its way.
      if (!isAnswer(error) && !isOurs(error))
        connection.end(error instanceof Error ? error : new Error("lost"));
      throw error;
    } finally {
      this.#putBack(connection);
    }
  }

  #putBack(connection: Connection): void {
    if (connection.isOpen && !this.#closed) this.#idle.push(connection);
    else this.#connections.delete(connection);
  }

  /** Takes one that is idle, or makes one. */
  async #made(): Promise<Connection> {
    if (this.#closed) throw closed();
    for (const idle of this.#idle) if (!idle.isOpen) this.#connections.delete(idle);
    this.#idle = this.#idle.filter(({ isOpen }) => isOpen);
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const { settings, purpose, clock, telemetry } = this.#options;
    const connection = new Connection(settings, purpose, telemetry);
    this.#connections.add(connection);
    const cancel = clock.after(MAKE_MS, () => connection.end(new NoAnswer("no connection was made in time")));
    try {
      await connection.make(this.schema);
      return connection;
    } catch (error) {
      connection.end(error instanceof Error ? error : new Error("lost"));
      this.#connections.delete(connection);
      throw error;
    } finally {
      cancel();
    }
  }
}
