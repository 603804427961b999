import type { ReservedSql, Sql } from "postgres";
import { cancelToText, isOver, isSuperseded } from "telltale/adapter";
import type { AnalysisChannel, AppendOutcome, CancelRequest, WorkerAnswer } from "telltale/ports";
import { type CancelRow, cancelOf, NO_ROW, stagesOf } from "./cancel-row.ts";
import { assertKnown, keyOf } from "./channel-rows.ts";
import { encode } from "./notifications.ts";
import { inTransaction } from "./transaction.ts";

type RowWithFormat = CancelRow & { readonly format: number | null };

interface CancelTerms {
  readonly schema: string;
  readonly ttlMs: number;
}

/** As `PubSubPort.requestCancel`. It holds the row of the channel, as an append does. */
export function requestCancel(
  sql: ReservedSql,
  channel: AnalysisChannel,
  request: CancelRequest,
  { schema, ttlMs }: CancelTerms,
): Promise<"requested" | "ended"> {
  const key = keyOf(channel);
  return inTransaction(sql, "begin", async () => {
    // If the channel has no row, an append may make it meanwhile: the request then counts as one before all events.
    const [row] = await sql<(Omit<RowWithFormat, "request"> & { expires_at: number })[]>`
      select format, last_offset, stages, run, current_terminal is not null as ended, expires_at
      from channels where channel = ${key} and expires_at > now_ms() for update`;
    assertKnown(row?.format ?? null, channel);
    const currentTerminal = row?.ended === true || undefined;
    if (row !== undefined && isOver({ currentTerminal, stages: stagesOf(row) })) return "ended";
    const [kept] = await sql<{ request: string }[]>`
      select request from cancels where channel = ${key} and expires_at > now_ms()`;
    if (cancelOf({ ...NO_ROW, ...row, request: kept?.request ?? null }) !== undefined) return "requested";
    const text = cancelToText({ request, after: row?.last_offset ?? 0 });
    const told = encode({ type: "cancel", channel: key, request });
    // As long as the channel: it expires with what it belongs to.
    await sql`
      insert into cancels (channel, request, expires_at)
      values (${key}, ${text}, coalesce(${row?.expires_at ?? null}::bigint, now_ms() + ${ttlMs}::bigint))
      on conflict (channel) do update set request = excluded.request, expires_at = excluded.expires_at`;
    await sql`select pg_notify(${schema}, ${told})`;
    return "requested";
  });
}

/** As `PubSubPort.signOfLife`. */
export async function signOfLife(
  sql: ReservedSql,
  channel: AnalysisChannel,
  attemptId?: string,
): Promise<WorkerAnswer> {
  const key = keyOf(channel);
  if (attemptId !== undefined) {
    const [row] = await sql<{ attempts: string }[]>`
      select attempts from channels where channel = ${key} and expires_at > now_ms()`;
    if (row !== undefined && row.attempts !== "" && isSuperseded(JSON.parse(row.attempts), attemptId))
      return {};
  }
  const [row] = await sql<RowWithFormat[]>`
    with heard as (
      update channels set heard_at = now_ms() where channel = ${key} and expires_at > now_ms()
      returning format, last_offset, stages, run, current_terminal is not null as ended
    )
    select heard.*, k.request from (select 1) as one left join heard on true
    left join cancels k on k.channel = ${key} and k.expires_at > now_ms()`;
  assertKnown(row?.format ?? null, channel);
  return row === undefined || cancelOf(row) === undefined ? {} : { cancelRequested: true };
}

/** The answer to a request while a request to cancel is in force. */
export function cancelled(outcome: AppendOutcome): AppendOutcome {
  return outcome.type === "refused" ? outcome : { ...outcome, cancelRequested: true };
}

/** Keeps the request until a time of the broker, in milliseconds. One that is over goes at once. */
export function keepCancel(sql: Sql, key: string, until: number) {
  return sql`update cancels set expires_at = ${until} where channel = ${key}`;
}
