import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { BrokerError, type TokenRejected } from "../../application/errors.ts";
import { checkOf } from "../../application/token-checks.ts";
import type { Issue } from "../../domain/decode-event.ts";
import type { Refusal } from "../../session/admission.ts";

/** Every error over HTTP by its stable `code`, with status and title. No answer repeats a body or a token. */
const PROBLEMS = {
  bad_host: [400, "The Host header names no host"],
  request_aborted: [400, "The request ended before it was whole"],
  invalid_query: [400, "The query breaks the rules"],
  not_json: [400, "The body is not JSON"],
  not_an_analysis_id: [400, "The path names no analysis: not a UUID"],
  unauthenticated: [401, "A valid bearer token is needed"],
  scope_missing: [403, "The token does not have the scope for this"],
  not_allowed: [403, "The token is not for this analysis"],
  not_declared: [403, "Nobody declared yet who may watch this analysis: try again in a moment"],
  origin_not_allowed: [403, "Pages of this origin may not read"],
  host_not_allowed: [403, "The demo answers to this machine's own names alone"],
  not_found: [404, "There is nothing here"],
  request_timeout: [408, "The request did not come whole within 30 seconds"],
  already_ended: [409, "The analysis has ended: there is nothing to cancel"],
  attempt_superseded: [409, "A later attempt of this analysis has begun"],
  attempt_ended: [409, "This attempt of the analysis has ended"],
  position_gone: [410, "The position is gone: what follows it is not kept any more"],
  event_too_large: [413, "A body or event is larger than the gateway takes"],
  expectation_failed: [417, "The gateway cannot say when to go on: repeat without Expect"],
  too_many_connections: [429, "This user has too many connections"],
  over_capacity: [503, "The gateway takes no more connections"],
  upgrade_required: [426, "This address speaks WebSocket"],
  invalid_event: [422, "An event breaks the rules"],
  invalid_idempotency_key: [422, "Idempotency-Key has 1 to 200 characters"],
  invalid_viewers: [422, "The list of viewers breaks the rules"],
  invalid_request: [422, "The request breaks the rules"],
  not_implemented: [501, "Not implemented in this release"],
  access_undecided: [503, "Nobody can decide now whether this is allowed: try again in a moment"],
  broker_unavailable: [503, "The broker is away: nothing was stored"],
  newer_format: [503, "What is kept of it was written by a newer Telltale than this gateway"],
  outcome_unknown: [503, "The broker did not answer: repeat with the same Idempotency-Key"],
  internal: [500, "The gateway failed to answer"],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

/** The status with which a problem is answered. */
export function statusOf(code: ProblemCode): number {
  return PROBLEMS[code][0];
}

/** The title of a problem, for people. */
export function titleOf(code: ProblemCode): string {
  return PROBLEMS[code][1];
}

interface ProblemDetails {
  readonly detail?: string;
  readonly issues?: readonly Issue[];
}

const RETRY_AFTER_SECONDS = "1";

/** The name under which the context of a request has the reason why it was refused. */
export const PROBLEM_CODE = "problemCode";

/** An `application/problem+json` answer (RFC 9457). */
export function problem(context: Context, code: ProblemCode, details: ProblemDetails = {}): Response {
  const [status, title] = PROBLEMS[code];
  context.set(PROBLEM_CODE, code);
  if (status === 401) context.header("WWW-Authenticate", "Bearer");
  if (status === 503 || status === 429) context.header("Retry-After", RETRY_AFTER_SECONDS);
  context.header("Content-Type", "application/problem+json");
  return context.body(
    JSON.stringify({ type: "about:blank", title, status, code, ...details }),
    status as ContentfulStatusCode,
  );
}

/** The name under which the context of a request has the check that its token failed. */
export const TOKEN_CHECK = "tokenCheck";

/** The answer to a request whose token is no good. */
export function unauthenticated(context: Context, rejected: TokenRejected): Response {
  context.set(TOKEN_CHECK, checkOf(rejected));
  return problem(context, "unauthenticated", { detail: rejected.message });
}

/** As `problem`, for a client that is refused, before or while it is served. */
export function refused(context: Context, refusal: Refusal): Response {
  if (refusal !== "going_away") return problem(context, refusal);
  const answer = problem(context, "over_capacity");
  // Counted by its own name, as on a WebSocket.
  context.set(PROBLEM_CODE, refusal);
  return answer;
}

/** The answer to an error of the broker, in words that anybody may read; undefined for any other error. */
export function brokerProblem(context: Context, error: unknown): Response | undefined {
  if (!(error instanceof BrokerError)) return undefined;
  return problem(context, error.code, { detail: error.publicReason });
}
