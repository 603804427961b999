import type { EncodedEvent } from "../../domain/analysis-event.ts";
import { randomEpoch } from "../system/random-epoch.ts";
import type { Lane } from "./append-trials.ts";
import type { AppendScriptCall } from "./redis-appends.ts";
import type { TryChannel } from "./redis-keys.ts";

/** Long enough for the second connection to find what the first one stored, in milliseconds. */
const STAYS_MS = 1_000;
const GONE_MS = 1;
/** So few that the third event makes the script trim. */
const SIZE = 1;
const KNOWN_AS = { by: "key", name: "try", scope: "channel", windowMs: 1, rememberMs: 1 } as const;

/**
 * What a gateway appends to see whether it could: on a channel of its own, which holds nothing a moment later. The two
 * connections together use every command that the script has: the first begins a channel and ends it, the second
 * trims it, reopens it under an attempt and lets it expire.
 */
export class TrialAppend {
  readonly #channel: TryChannel = `try:${randomEpoch()}`;

  callFor(lane: Lane): AppendScriptCall {
    const first = lane === "publishing";
    return {
      channel: this.#channel,
      requests: [
        {
          events: first ? [event("status"), event("error")] : [event("status", "try")],
          deduplicate: KNOWN_AS,
        },
      ],
      acknowledged: first,
      calledAt: performance.now(),
      limits: { size: SIZE, ttlMs: first ? STAYS_MS : GONE_MS },
    };
  }
}

function event(kind: "status" | "error", attemptId?: string): EncodedEvent {
  return {
    kind,
    stage: kind === "status" ? "initializing" : undefined,
    timestamp: "1970-01-01T00:00:00Z",
    attemptId,
    members: '"event_type":"none"}',
  };
}
