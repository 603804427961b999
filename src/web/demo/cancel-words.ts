import type { CancelRequest } from "../../domain/cancel-request.ts";
import { timeInSeconds } from "../words/times.ts";
import { session } from "./page-state.ts";

/** When a request to cancel came, of whom, and why, as "at 10:00:03 by alice: too slow". */
export function cancelWords({ requested_at, user_id, reason }: CancelRequest): string {
  const byWhom = user_id === session.value?.user ? "you" : nameOf(user_id);
  return `at ${timeInSeconds(Date.parse(requested_at))} by ${byWhom}${reason === null ? "" : `: ${reason}`}`;
}

/** The user id that the demo made up for a visitor tells nobody anything. */
function nameOf(user: string | null): string {
  if (user === null) return "somebody";
  return user.startsWith("visitor-") ? "another visitor" : user;
}
