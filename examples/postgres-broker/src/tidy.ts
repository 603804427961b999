import type { Sql } from "postgres";
import { FORMAT } from "./schema.ts";

/** Longer than any gateway asks for the outcome of a call, in milliseconds. */
const CALLS_KEPT_MS = 60_000;

/** Removes what has expired. A channel that another gateway works on stays for the next time. */
export async function tidy(sql: Sql): Promise<void> {
  // The clock is asked once in each statement: a function that is called for every row can use no index.
  await sql`
    with gone as (
      delete from channels where channel in
        (select channel from channels where expires_at <= (select now_ms()) and format <= ${FORMAT}
         limit 1000 for update skip locked)
      returning channel
    ), events_gone as (delete from events using gone where events.channel = gone.channel)
    delete from requests using gone where requests.scope = gone.channel`;
  await sql`delete from requests where until <= (select now_ms())`;
  await sql`delete from viewers where expires_at <= (select now_ms())`;
  await sql`delete from cancels where expires_at <= (select now_ms())`;
  await sql`delete from dead_letter_names where until <= (select now_ms())`;
  await sql`delete from calls where at <= (select now_ms()) - ${CALLS_KEPT_MS}::bigint`;
}
