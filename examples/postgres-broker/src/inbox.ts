import { exceedsBytes, firstBytes, lastBytes, MAX_EVENT_BYTES } from "telltale/adapter";
import {
  ASK_AGAIN_MS,
  type ClockPort,
  INBOX_BATCH,
  type InboxBacklog,
  type InboxEntry,
  type InboxPort,
  LEASE_MS,
  SHOWN_BYTES,
  type Taken,
} from "telltale/ports";
import type { Database } from "./database.ts";
import { compareIds } from "./judge.ts";
import type { Listener } from "./listener.ts";

interface PostgresInboxOptions {
  readonly database: Database;
  readonly listener: Listener;
  readonly clock: ClockPort;
  /** The name of this node in the lease. Default: a random one. */
  readonly node?: string;
}

const ARRIVAL_MS = 1_000;

/** The outbox of applications: rows that `telltale_publish` added in their own transactions. */
export class PostgresInbox implements InboxPort {
  readonly takesWorkerChannels = false;
  readonly #options: PostgresInboxOptions;
  readonly #node: string;
  readonly #waiting = new Set<() => void>();
  #remove: (() => void) | undefined;

  constructor(options: PostgresInboxOptions) {
    this.#options = options;
    this.#node = options.node ?? crypto.randomUUID();
  }

  take(): Promise<Taken> {
    return this.#options.database.read(async (sql) => {
      const held = await sql`
        insert into leases (name, node, until) values ('outbox', ${this.#node}, now_ms() + ${LEASE_MS}::bigint)
        on conflict (name) do update set node = excluded.node, until = excluded.until
        where leases.node = excluded.node or leases.until <= now_ms() returning 1`;
      if (held.length === 0) {
        const [lease] = await sql<{ left: number }[]>`
          select until - now_ms() as left from leases where name = 'outbox'`;
        const againMs = Math.max(1, Math.min(ASK_AGAIN_MS, (lease?.left ?? 0) + 1));
        return { type: "elsewhere", againMs };
      }
      const rows = await sql<EntryRow[]>`
        select id::text, channel, bytes, added_at,
          case when bytes <= ${MAX_EVENT_BYTES} then event end as event,
          case when bytes > ${MAX_EVENT_BYTES} then left(event, ${SHOWN_BYTES}) end as start,
          case when bytes > ${MAX_EVENT_BYTES} then right(event, ${SHOWN_BYTES}) end as finish
        from (select *, sum(bytes) over (order by id) as total from
               (select * from outbox order by id limit ${INBOX_BATCH.items}) as oldest) as batch
        where total <= ${INBOX_BATCH.bytes} or total = bytes order by batch.id`;
      return { type: "batch", entries: rows.map(entryOf) };
    });
  }

  async arrival(): Promise<void> {
    const { database, listener, clock } = this.#options;
    this.#remove ??= listener.add({
      heard: (notification) => {
        if (notification.type === "added") this.#wake();
      },
      restored: () => this.#wake(),
    });
    const arrived = Promise.withResolvers<void>();
    this.#waiting.add(arrived.resolve);
    const cancel = clock.after(ARRIVAL_MS, arrived.resolve);
    try {
      // It waits before it looks: an entry that comes in between is heard.
      const there = await database.read((sql) => sql`select 1 from outbox limit 1`);
      if (there.length === 0) await arrived.promise;
    } finally {
      cancel();
      this.#waiting.delete(arrived.resolve);
    }
  }

  async remove(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#options.database.read(
      (sql) => sql`delete from outbox where id in
        (select id::bigint from json_array_elements_text(${JSON.stringify(ids)}::text::json) as i(id))`,
    );
  }

  async release(): Promise<void> {
    await this.#options.database.read(
      (sql) => sql`delete from leases where name = 'outbox' and node = ${this.#node}`,
    );
  }

  backlog(): Promise<InboxBacklog> {
    return this.#options.database.read(async (sql) => {
      const [row] = await sql<{ entries: number; id: string | null; age: number | null }[]>`
        select (select count(*) from outbox) as entries, oldest.id::text, greatest(0, now_ms() - oldest.added_at) as age
        from (select 1) as one left join (select id, added_at from outbox order by id limit 1) as oldest on true`;
      const oldest = row?.id ? { id: row.id, ageMs: row.age ?? undefined } : undefined;
      return { entries: row?.entries ?? 0, oldest };
    });
  }

  compareIds(one: string, other: string): number {
    return compareIds(one, other);
  }

  async close(): Promise<void> {
    this.#remove?.();
    this.#wake();
    this.#options.database.close();
  }

  #wake(): void {
    for (const arrived of [...this.#waiting]) arrived();
  }
}

interface EntryRow {
  readonly id: string;
  readonly channel: string | null;
  readonly bytes: number;
  readonly added_at: number;
  readonly event: string | null;
  /** The ends of an event that is too large. */
  readonly start: string | null;
  readonly finish: string | null;
}

function entryOf({ id, channel, added_at, event, start, finish }: EntryRow): InboxEntry {
  const taken = { id, addedAt: added_at, ...(channel !== null && { channel }) };
  if (event !== null && !exceedsBytes(event, MAX_EVENT_BYTES)) return { ...taken, type: "event", event };
  return {
    ...taken,
    ...{ type: "unreadable", fault: "too_large" },
    payload: firstBytes(start ?? "", SHOWN_BYTES),
    tail: lastBytes(finish ?? "", SHOWN_BYTES),
  };
}
