/**
 * A client's way back after a close. With `no` it stays away. With `yes` it comes back at once. With `with_new_token` it
 * fetches a token first. With `with_backoff` it waits longer each time. With `after_hint` it waits the `retry_after_ms=N`
 * of the reason. With `without_position` it comes back at once and forgets its position, which an event source of a browser cannot.
 */
type Reconnect = "no" | "yes" | "without_position" | "with_new_token" | "with_backoff" | "after_hint";

export interface CloseCode {
  readonly code: number;
  readonly name: string;
  readonly meaning: string;
  readonly reconnect: Reconnect;
}

/**
 * The one table of the codes that the gateway closes a WebSocket with: a new code is a new line here. A client needs no
 * other source to decide whether to come back.
 */
export const CLOSE_CODES = {
  finished: {
    code: 1000,
    name: "finished",
    meaning: "the end that until=terminal asked for",
    reconnect: "no",
  },
  goingAway: { code: 1001, name: "going_away", meaning: "the server is going away", reconnect: "after_hint" },
  frameTooLarge: { code: 1009, name: "frame_too_large", meaning: "a frame is too large", reconnect: "no" },
  tryAgainLater: {
    code: 1013,
    name: "try_again_later",
    meaning: "over capacity, or the broker is away",
    reconnect: "after_hint",
  },
  unauthenticated: {
    code: 4001,
    name: "unauthenticated",
    meaning: "the token is missing, invalid or expired",
    reconnect: "with_new_token",
  },
  forbidden: {
    code: 4003,
    name: "forbidden",
    meaning: "the token may not watch this analysis, or the origin is not allowed",
    reconnect: "no",
  },
  notAnAnalysisId: {
    code: 4004,
    name: "not_an_analysis_id",
    meaning: "the analysis_id is not a UUID",
    reconnect: "no",
  },
  heartbeatTimeout: {
    code: 4008,
    name: "heartbeat_timeout",
    meaning: "nothing was heard for the heartbeat timeout",
    reconnect: "yes",
  },
  tooSlow: {
    code: 4009,
    name: "too_slow",
    meaning: "more waits than may be kept",
    reconnect: "yes",
  },
  positionGone: {
    code: 4010,
    name: "position_gone",
    meaning: "the position is gone, and resume=strict was asked for",
    reconnect: "without_position",
  },
  tooManyConnections: {
    code: 4029,
    name: "too_many_connections",
    meaning: "too many connections for this user or address",
    reconnect: "with_backoff",
  },
  protocolViolation: {
    code: 4400,
    name: "protocol_violation",
    meaning: "too many protocol errors, or the message rate was exceeded",
    reconnect: "no",
  },
} as const satisfies Record<string, CloseCode>;

const BY_CODE: ReadonlyMap<number, CloseCode> = new Map(
  Object.values(CLOSE_CODES).map((entry) => [entry.code, entry]),
);

/** The entry of a code; undefined for a code that the gateway never sends, such as 1006 of a link that broke. */
export function closeCodeOf(code: number): CloseCode | undefined {
  return BY_CODE.get(code);
}

/** The reason of a 4003 that time may cure: nobody has declared yet who may watch. */
export const NOT_DECLARED = "not_declared";

/** Whether a close is the 4003 that a client comes back from. */
export function isNotDeclared({ code, reason }: { readonly code: number; readonly reason: string }): boolean {
  return code === CLOSE_CODES.forbidden.code && reason.split(/\s/).includes(NOT_DECLARED);
}

/** Whether a client that was closed so may come back from its position: at once or later, with another token, or when its time has come. */
export function comesBack(close: { readonly code: number; readonly reason: string }): boolean {
  if (closeCodeOf(close.code)?.reconnect === "without_position") return false;
  return isNotDeclared(close) || closeCodeOf(close.code)?.reconnect !== "no";
}

/** The reason of a close that says when to come back. */
export function retryAfterReason(milliseconds: number): string {
  return `retry_after_ms=${Math.max(0, Math.round(milliseconds))}`;
}

/** The hint of such a reason in milliseconds; undefined if it has none. */
export function retryAfterOf(reason: string): number | undefined {
  const match = /(?:^|\s)retry_after_ms=(\d{1,9})(?:\s|$)/.exec(reason);
  return match === null ? undefined : Number(match[1]);
}
