import { CLOSE_CODES } from "../domain/close-code.ts";

/** An event or a notice as it arrived. `event_id` is opaque; unknown fields are kept. */
export interface WatchedEvent {
  readonly event_id: string;
  readonly event_type: string;
  readonly [field: string]: unknown;
}

/** A frame of the gateway: an event, or one such as `heartbeat` that carries no `event_id`. */
export interface Frame {
  readonly event_type: string;
  readonly [field: string]: unknown;
}

/** Undefined for a frame that no gateway sends: something else is at that address. */
export function parseFrame(data: unknown): Frame | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return isFrame(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isEvent(frame: Frame): frame is WatchedEvent {
  return typeof frame.event_id === "string";
}

/** Whether the frame says that the state is another one, though no event came. */
export function isNews({ event_type }: Frame): boolean {
  return event_type === "state_changed" || event_type === "cancel_requested";
}

/** A duration of `connection_established` in milliseconds. */
export function secondsOr(value: unknown, fallback: number): number {
  return (typeof value === "number" && value > 0 ? value : fallback) * 1000;
}

function isFrame(value: unknown): value is Frame {
  return (
    typeof value === "object" &&
    value !== null &&
    "event_type" in value &&
    typeof value.event_type === "string"
  );
}

/** A `subscription_refused` as the close that says the same. */
export function refusalOf({ code }: Frame): { readonly code: number; readonly reason: string } {
  const reason = typeof code === "string" ? code : "not_allowed";
  return { code: CLOSE_OF_REFUSAL.get(reason) ?? CLOSE_CODES.forbidden.code, reason };
}

const CLOSE_OF_REFUSAL: ReadonlyMap<string, number> = new Map<string, number>([
  ["not_an_analysis_id", CLOSE_CODES.notAnAnalysisId.code],
  ["too_many_subscriptions", CLOSE_CODES.tooManyConnections.code],
  ["broker_unavailable", CLOSE_CODES.tryAgainLater.code],
  ["internal", CLOSE_CODES.tryAgainLater.code],
]);

/** The code and message of a `protocol_error`. */
export function problemOf({ code, message }: Frame): { readonly code: string; readonly message: string } {
  return { code: String(code), message: String(message) };
}
