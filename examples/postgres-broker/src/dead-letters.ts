import { createHash } from "node:crypto";
import type { Sql } from "postgres";
import { LastingDenial, utf8Length } from "telltale/adapter";
import {
  type BrokerTrouble,
  type ClockPort,
  DEAD_LETTER_PAGE,
  DEAD_LETTERS,
  type DeadLetter,
  type DeadLetterPort,
  identityOf,
  type KeptDeadLetter,
  keptFields,
  kindOfDeadLetter,
} from "telltale/ports";
import type { Database } from "./database.ts";
import { unknown } from "./failures.ts";
import { type KeptSize, surplus } from "./surplus.ts";
import { inTransaction } from "./transaction.ts";

interface PostgresDeadLettersOptions {
  readonly database: Database;
  readonly clock: ClockPort;
}

const KEEP_MS = 5_000;
const MOST_AT_ONCE = 200;
const ID = /^[1-9]\d{0,17}$/;

/** The dead letters in a table. Those that are kept at the same time go into one transaction. */
export class PostgresDeadLetters implements DeadLetterPort {
  readonly #options: PostgresDeadLettersOptions;
  readonly #unkept: LastingDenial;
  #waiting: Waiting[] = [];
  #keeping = false;

  constructor(options: PostgresDeadLettersOptions) {
    this.#options = options;
    this.#unkept = new LastingDenial(options.clock);
  }

  get trouble(): BrokerTrouble | undefined {
    return this.#unkept.trouble;
  }

  keep(deadLetter: DeadLetter): Promise<void> {
    const { text, windowMs, rememberMs } = identityOf(deadLetter);
    const at = new Date(this.#options.clock.now()).toISOString();
    const fields = { ...keptFields(deadLetter), at };
    const kept = Promise.withResolvers<void>();
    this.#waiting.push({
      name: createHash("sha256").update(text).digest("base64"),
      windowMs,
      rememberMs,
      kind: kindOfDeadLetter(deadLetter.channel),
      bytes: utf8Length(fields.channel + fields.payload + fields.reason + at),
      // As JSON, for a payload may hold U+0000, and half characters.
      letter: JSON.stringify(fields),
      kept,
    });
    if (!this.#keeping) void this.#keepWaiting();
    return this.#unkept.watch(kept.promise);
  }

  async *read(from: "oldest" | "newest"): AsyncIterable<KeptDeadLetter> {
    let after: string | undefined;
    for (;;) {
      const start: string | undefined = after;
      const rows = await this.#options.database.read((sql) =>
        from === "oldest"
          ? sql<Row[]>`select id::text, letter from dead_letters where id > ${start ?? "0"}::text::bigint
              order by dead_letters.id limit ${DEAD_LETTER_PAGE.items}`
          : sql<Row[]>`select id::text, letter from dead_letters
              where ${start === undefined} or id < ${start ?? "0"}::text::bigint
              order by dead_letters.id desc limit ${DEAD_LETTER_PAGE.items}`,
      );
      yield* rows.map(deadLetterOf);
      after = rows.at(-1)?.id;
      if (after === undefined || rows.length < DEAD_LETTER_PAGE.items) return;
    }
  }

  async find(id: string): Promise<KeptDeadLetter | undefined> {
    if (!ID.test(id)) return undefined;
    const [row] = await this.#options.database.read(
      (sql) => sql<Row[]>`select id::text, letter from dead_letters where id = ${id}::text::bigint`,
    );
    return row && deadLetterOf(row);
  }

  async remove(id: string): Promise<boolean> {
    if (!ID.test(id)) return false;
    const removed = await this.#options.database.read(
      (sql) => sql`delete from dead_letters where id = ${id}::text::bigint returning 1`,
    );
    return removed.length > 0;
  }

  async close(): Promise<void> {
    this.#options.database.close();
  }

  /** Never rejects. */
  async #keepWaiting(): Promise<void> {
    this.#keeping = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MOST_AT_ONCE);
      try {
        await this.#options.database.attempt(
          (sql) => inTransaction(sql, "begin", () => keepAll(sql, batch)),
          KEEP_MS,
        );
        for (const { kept } of batch) kept.resolve();
      } catch (error) {
        for (const { kept } of batch) kept.reject(unknown(error));
      }
    }
    this.#keeping = false;
  }
}

async function keepAll(sql: Sql, batch: readonly Waiting[]): Promise<void> {
  // Gateways that report the same dead letter at once come one after the other.
  await sql`select pg_advisory_xact_lock(hashtextextended('telltale dead letters', 0))`;
  const names = JSON.stringify(batch.map(({ name }) => name));
  const known = await sql<{ name: string; at: number; until: number }[]>`
    select name, at, until from dead_letter_names
    where name in (select json_array_elements_text(${names}::text::json))`;
  const [server] = await sql<{ now: number }[]>`select now_ms() as now`;
  const now = server?.now ?? 0;
  const times = new Map(known.map(({ name, at, until }) => [name, { at, until }]));
  const fresh = batch.filter(({ name, windowMs, rememberMs }) => {
    const before = times.get(name);
    if (before !== undefined && now < before.until && now - before.at <= windowMs) return false;
    times.set(name, { at: now, until: now + rememberMs });
    return true;
  });
  if (fresh.length === 0) return;
  const letters = fresh.map(({ kind, bytes, letter }) => ({ kind, bytes, letter }));
  await sql`insert into dead_letters (kind, bytes, letter) select kind, bytes, letter
    from json_to_recordset(${JSON.stringify(letters)}::text::json) as l(kind text, bytes integer, letter text)`;
  const renewed = [...new Set(fresh.map(({ name }) => name))].map((name) => ({ name, ...times.get(name) }));
  await sql`insert into dead_letter_names (name, at, until) select name, at, until
    from json_to_recordset(${JSON.stringify(renewed)}::text::json) as n(name text, at bigint, until bigint)
    on conflict (name) do update set at = excluded.at, until = excluded.until`;
  const [sum] = await sql<{ items: number; bytes: number }[]>`
    select count(*) as items, coalesce(sum(bytes), 0)::bigint as bytes from dead_letters`;
  if (sum === undefined || (sum.items <= DEAD_LETTERS.items && sum.bytes <= DEAD_LETTERS.bytes)) return;
  const sizes = await sql<
    KeptSize[]
  >`select id::text, kind, bytes from dead_letters order by dead_letters.id`;
  const dropped = JSON.stringify(surplus(sizes, DEAD_LETTERS));
  await sql`delete from dead_letters where id in
    (select id::bigint from json_array_elements_text(${dropped}::text::json) as d(id))`;
}

interface Waiting {
  readonly name: string;
  readonly windowMs: number;
  readonly rememberMs: number;
  readonly kind: string;
  readonly bytes: number;
  readonly letter: string;
  readonly kept: PromiseWithResolvers<void>;
}

interface Row {
  readonly id: string;
  readonly letter: string;
}

function deadLetterOf({ id, letter }: Row): KeptDeadLetter {
  return { id, ...JSON.parse(letter) };
}
