/**
 * Every code by which the gateway refuses a request, a connection or a subscription, whatever carries it: the `code` of a
 * problem over HTTP, of a refused WebSocket and of `subscription_refused`. A code that is missing here does not compile.
 */
export const REFUSAL_REASONS = [
  "access_undecided",
  "already_ended",
  "attempt_ended",
  "attempt_superseded",
  "bad_host",
  "broker_unavailable",
  "event_too_large",
  "expectation_failed",
  "going_away",
  "host_not_allowed",
  "internal",
  "invalid_event",
  "invalid_idempotency_key",
  "invalid_query",
  "invalid_request",
  "invalid_viewers",
  "newer_format",
  "not_allowed",
  "not_an_analysis_id",
  "not_declared",
  "not_found",
  "not_implemented",
  "not_json",
  "origin_not_allowed",
  "outcome_unknown",
  "over_capacity",
  "position_gone",
  "request_timeout",
  "scope_missing",
  "too_many_connections",
  "too_many_subscriptions",
  "unauthenticated",
  "upgrade_required",
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];
