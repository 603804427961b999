import type { ChannelName } from "../domain/channel.ts";
import { isAnalysisChannel } from "../domain/channel.ts";
import { decodeEvent, decodeEvents, type Issue } from "../domain/decode-event.ts";
import { formatEventId } from "../domain/event-position.ts";
import { EVENT_RULES, type EventRules } from "../domain/event-rules.ts";
import { idempotencyKey } from "./idempotency-key.ts";
import { noteAppended } from "./note-appended.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import type { AppendOutcome, AttemptRefusal, PubSubPort } from "./ports/pub-sub-port.ts";
import type { TelemetryPort } from "./ports/telemetry-port.ts";

export type BroadcastAnswer =
  | {
      readonly type: "stored";
      readonly eventIds: readonly string[];
      readonly duplicate: boolean;
      /** Whether somebody asked to cancel the analysis; undefined for a notice. */
      readonly cancelRequested: boolean | undefined;
    }
  | {
      readonly type: "invalid";
      readonly reason: "not_json" | "too_large" | "invalid";
      readonly issues: readonly Issue[];
    }
  | { readonly type: "refused"; readonly code: AttemptRefusal; readonly index: number };

/** Validates the events of a request, then stores and publishes them, once. Publishers reach it over HTTP. */
export class BroadcastEvent {
  readonly #pubSub: PubSubPort;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  readonly #rules: EventRules;

  constructor(pubSub: PubSubPort, clock: ClockPort, telemetry: TelemetryPort, rules = EVENT_RULES) {
    this.#rules = rules;
    this.#pubSub = pubSub;
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /**
   * Stores all events of `body` or none, in its order. Resolves `stored` only after the broker has them. Rejects as
   * `PubSubPort.append` does. A batch is for analyses only: a notice is one event.
   */
  async execute(channel: ChannelName, body: string, key: string | undefined): Promise<BroadcastAnswer> {
    const scope = isAnalysisChannel(channel) ? "channel" : "notices";
    const context = { channel, now: this.#clock.now(), rules: this.#rules };
    const decoded = isAnalysisChannel(channel)
      ? decodeEvents(body, context)
      : asBatch(decodeEvent(body, context));
    if (!decoded.ok) return { type: "invalid", reason: decoded.reason, issues: decoded.issues };
    const outcome = await this.#pubSub.append({
      channel,
      events: decoded.events.map((event) => event.encoded),
      ...(key !== undefined && { deduplicate: idempotencyKey(key, scope) }),
    });
    return this.#answer(channel, outcome);
  }

  #answer(channel: ChannelName, outcome: AppendOutcome): BroadcastAnswer {
    if (outcome.type === "refused") return outcome;
    noteAppended(this.#telemetry, "http", channel, outcome);
    const eventIds = Array.from({ length: outcome.count }, (_, index) =>
      formatEventId({ epoch: outcome.epoch, offset: outcome.firstOffset + index }),
    );
    const cancelRequested = isAnalysisChannel(channel) ? (outcome.cancelRequested ?? false) : undefined;
    return { type: "stored", eventIds, duplicate: outcome.type === "duplicate", cancelRequested };
  }
}

function asBatch(decoded: ReturnType<typeof decodeEvent>): ReturnType<typeof decodeEvents> {
  return decoded.ok ? { ok: true, events: [decoded] } : decoded;
}
