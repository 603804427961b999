import type { ReservedSql } from "postgres";
import { isAnswer, isOurs } from "./failures.ts";

/** Does `work` in a transaction: `begin` is the statement that begins it. */
export async function inTransaction<Answer>(
  sql: ReservedSql,
  begin: string,
  work: () => Promise<Answer>,
): Promise<Answer> {
  await sql.unsafe(begin);
  try {
    const answer = await work();
    await sql`commit`;
    return answer;
  } catch (error) {
    await undo(sql, error);
    throw error;
  }
}

/** Undoes the transaction that `error` ended early. A lost connection is not asked again: PostgreSQL undoes it by itself. */
export async function undo(sql: ReservedSql, error: unknown): Promise<void> {
  if (isAnswer(error) || isOurs(error)) await sql`rollback`;
}
