import type { ReservedSql, Sql } from "postgres";
import { NewerFormat } from "telltale/ports";
import { inTransaction } from "./transaction.ts";

/** The format of the tables, and of the channels in them. A change that older gateways misread gets the next number. */
export const FORMAT = 1;

/** Whether all is there. It takes no lock, since a busy server has many connections made at once. Rejects as `makeSchema` does. */
export async function hasSchema(sql: Sql, schema: string): Promise<boolean> {
  try {
    const [kept] = await sql.unsafe<{ number: number; added: boolean }[]>(
      `select number, to_regprocedure('${schema}.telltale_heartbeat(uuid, text)') is not null as added from ${schema}.format`,
    );
    return isOfThis(kept?.number) && kept?.added === true;
  } catch (error) {
    if (error instanceof Error && "code" in error && MISSING.has(String(error.code))) return false;
    throw error;
  }
}

/** There is no such table, or no such schema. */
const MISSING: ReadonlySet<string> = new Set(["42P01", "3F000"]);

function isOfThis(format: number | undefined): boolean {
  if ((format ?? 0) > FORMAT) throw new NewerFormat("a newer adapter made the tables");
  return format === FORMAT;
}

/**
 * Makes the tables and functions that are missing. Gateways that start together do it one after the other, under a lock.
 * Rejects with `NewerFormat` if a newer adapter made them.
 */
export async function makeSchema(sql: ReservedSql, schema: string): Promise<void> {
  await inTransaction(sql, "begin", async () => {
    await sql`select pg_advisory_xact_lock(hashtextextended(${`telltale schema ${schema}`}, 0))`;
    const [there] = await sql<{ there: boolean }[]>`
      select to_regclass(${`${schema}.format`}) is not null as there`;
    if (there?.there === true) {
      const [kept] = await sql<{ number: number }[]>`select number from format`;
      if (isOfThis(kept?.number)) return void (await sql.unsafe(added(schema)));
    }
    await sql.unsafe(`${statements(schema)}${added(schema)}`);
  });
}

/** Everything that came after the first release. Gateways of earlier ones do not know them, and need not. */
function added(schema: string): string {
  return `
create table if not exists ${schema}.cancels (channel text primary key, request text not null, expires_at bigint not null);
create index if not exists cancels_expire on ${schema}.cancels (expires_at);
alter table ${schema}.channels add column if not exists run text;

-- The analyses that may be running, and when gateways look at them.
create table if not exists ${schema}.running (channel text primary key, due_at bigint not null);
create index if not exists running_due on ${schema}.running (due_at);

-- The worker of an analysis is alive, and asks whether somebody asked to cancel it. Gateways remove a request that is over.
-- A worker whose attempt another one has replaced counts for nothing. Names are compared as JSON, which may hold \\u0000.
drop function if exists ${schema}.telltale_heartbeat(uuid);
create or replace function ${schema}.telltale_heartbeat(analysis uuid, attempt text default null) returns boolean
language plpgsql security definer set search_path = ${schema}, pg_temp as $$
begin
  if exists (
    select from channels, json_array_elements(nullif(attempts, '')::json->'past') as earlier(name)
    where channel = 'analysis:' || analysis and expires_at > now_ms() and name::text = to_json(attempt)::text
  ) then
    return false;
  end if;
  update channels set heard_at = now_ms() where channel = 'analysis:' || analysis and expires_at > now_ms();
  return exists (select from cancels where channel = 'analysis:' || analysis and expires_at > now_ms());
end;
$$;
`;
}

/** Text, never jsonb: jsonb refuses `\u0000`, and writes numbers and members in another way than the worker did. */
function statements(schema: string): string {
  return `
create schema if not exists ${schema};

create table format (number integer not null);
insert into format values (${FORMAT});

-- The record of a channel beside its history. Appends to a channel hold its row, so they come one after the other.
create table channels (
  channel text primary key,
  format integer not null default ${FORMAT},
  lineage text not null default '',
  epoch text not null default '',
  last_offset bigint not null default 0,
  oldest bigint not null default 1,
  spans text not null default '[]',
  stages text not null default '[]',
  attempts text not null default '',
  last_status text,
  current_terminal text,
  last_entry text,
  heard_at bigint,
  expires_at bigint not null default 0
);
create index on channels (expires_at);

create table events (
  channel text not null,
  event_offset bigint not null,
  kind text not null,
  reopens boolean not null,
  bytes integer not null,
  text text not null,
  primary key (channel, event_offset)
);

-- Requests by their idempotency keys. A scope is a channel, or 'notices' for all notice channels together.
create table requests (
  scope text not null,
  name text not null,
  place text not null,
  at bigint not null,
  until bigint not null,
  primary key (scope, name)
);
create index on requests (until);

-- The calls of gateways with their outcomes, so that a gateway which lost the answer can ask. Null: it gave the call up.
create table calls (id uuid primary key, outcomes text, at bigint not null);
create index on calls (at);

create table viewers (channel text primary key, viewers text not null, expires_at bigint not null);
create index on viewers (expires_at);

create table dead_letters (
  id bigint generated always as identity primary key,
  kind text not null,
  bytes integer not null,
  letter text not null
);
create table dead_letter_names (name text primary key, at bigint not null, until bigint not null);
create index on dead_letter_names (until);

create table outbox (
  id bigint generated always as identity primary key,
  channel text,
  event text not null,
  bytes integer not null,
  added_at bigint not null
);
create table leases (name text primary key, node text not null, until bigint not null);
create table probes (node text primary key, at bigint not null);

create function now_ms() returns bigint language sql volatile as
  $$ select floor(extract(epoch from clock_timestamp()) * 1000)::bigint $$;

-- The system, and when it started: after a restart or a promotion it may lack events that were told.
create function lineage() returns text language sql stable as
  $$ select system_identifier || '-' || extract(epoch from pg_postmaster_start_time()) from pg_control_system() $$;

create function assert_before(deadline bigint) returns void language plpgsql as $$
begin
  if ${schema}.now_ms() > deadline then
    raise exception 'the deadline of the call has passed' using errcode = 'TT001';
  end if;
end $$;

-- The outbox. Ids of a sequence come in the order of the calls, but entries appear in the order of the commits: an entry
-- with a smaller id could appear after a greater one was stored, and be taken for a repeat. So a transaction that adds to
-- a channel holds the channel until it ends.
create function add_to_outbox(to_channel text, event text, lock_name text) returns bigint
language plpgsql security definer set search_path = ${schema}, pg_temp as $$
declare added bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('telltale outbox ' || lock_name, 0));
  insert into outbox (channel, event, bytes, added_at)
    values (to_channel, event, octet_length(event), now_ms()) returning id into added;
  perform pg_notify('${schema}', 'i');
  return added;
end $$;

-- Publishes an event that names its analysis, when the transaction commits.
create function telltale_publish(event json) returns bigint language sql as
  $$ select ${schema}.add_to_outbox(null, event::text, 'analysis:' || lower(coalesce(event ->> 'analysis_id', ''))) $$;

-- Publishes an event to 'analysis:…', 'user:…' or 'system:updates', when the transaction commits.
create function telltale_publish(channel text, event json) returns bigint language sql as
  $$ select ${schema}.add_to_outbox(channel, event::text,
       case when channel like 'analysis:%' then lower(channel) else channel end) $$;

create function telltale_publish(analysis uuid, event json) returns bigint language sql as
  $$ select ${schema}.telltale_publish('analysis:' || analysis, event) $$;
`;
}
