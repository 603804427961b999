import { createHash } from "node:crypto";
import type { Sql } from "postgres";
import type { AppendRequest, RequestKey } from "telltale/ports";
import { type Remembered, scopeOf } from "./judge.ts";

interface Name {
  readonly scope: string;
  readonly name: string;
}

/** The names of the requests of a call, as the table `requests` has them. */
export function namesIn(requests: readonly AppendRequest[], channel: string): Name[] {
  return requests
    .map(({ deduplicate }) => deduplicate)
    .filter((key): key is RequestKey => key?.by === "key")
    .map((key) => ({ scope: scopeOf(key, channel), name: key.name }));
}

/** The request with a name that a key column takes, from one of any length and of any characters. */
export function withShortName(request: AppendRequest): AppendRequest {
  const { deduplicate: key } = request;
  if (key?.by !== "key") return request;
  const name = createHash("sha256").update(key.name).digest("base64");
  return { ...request, deduplicate: { ...key, name } };
}

/** In one order everywhere, so that no two transactions wait for each other. */
export function lockNames(sql: Sql, names: readonly string[]) {
  return sql`select pg_advisory_xact_lock(lock) from
    (select distinct hashtextextended('telltale notice ' || name, 0) as lock
     from json_array_elements_text(${JSON.stringify(names)}::text::json) as n(name) order by 1) as locks`;
}

export function remember(sql: Sql, remembered: readonly Remembered[]) {
  const rows = remembered.map((one) => ({ ...one, place: JSON.stringify(one.place) }));
  return sql`insert into requests (scope, name, place, at, until)
    select scope, name, place, at, until from json_to_recordset(${JSON.stringify(rows)}::text::json)
      as r(scope text, name text, place text, at bigint, until bigint)
    on conflict (scope, name) do update set place = excluded.place, at = excluded.at, until = excluded.until`;
}
