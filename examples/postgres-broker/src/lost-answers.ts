import type { AppendOutcome } from "telltale/ports";
import type { Database } from "./database.ts";
import { NoAnswer, unavailable, unknown } from "./failures.ts";

const ASK_AGAIN_MS = 50;

/**
 * The outcomes of a call whose answer to the commit is lost, because of `cause`. The gateway takes the id of the call: if it
 * gets it, the call can never be stored, since its own entry would be the second one. If the id is taken the call was
 * stored, and its outcomes are beside it.
 *
 * Asks until `until`, by `performance.now()`. Rejects with `BrokerUnavailable` if nothing was and will be stored, or with
 * `OutcomeUnknown`.
 */
export async function giveUp(
  database: Database,
  id: string,
  cause: unknown,
  until: number,
): Promise<readonly AppendOutcome[]> {
  for (;;) {
    try {
      const outcomes = await database.attempt(async (sql) => {
        const taken = await sql`
          insert into calls (id, outcomes, at) values (${id}, null, now_ms()) on conflict do nothing returning id`;
        if (taken.length > 0) return null;
        const [kept] = await sql<{ outcomes: string | null }[]>`select outcomes from calls where id = ${id}`;
        return kept?.outcomes;
      }, until - performance.now());
      if (typeof outcomes === "string") return JSON.parse(outcomes);
      break;
    } catch (error) {
      // It may be asked again as often as one likes: the id is taken once.
      if (error instanceof NoAnswer || performance.now() + ASK_AGAIN_MS > until) throw unknown(cause);
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
  }
  // A row that was given up before has no outcomes either.
  throw unavailable(cause);
}
