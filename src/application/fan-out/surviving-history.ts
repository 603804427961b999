import type { EventPosition, KeptHistory } from "../../domain/event-position.ts";
import type { ChannelSnapshot } from "../ports/pub-sub-port.ts";
import type { LatestEvents } from "./latest-events.ts";

/** What the broker has of a channel after something was lost or may have forked: everybody is judged by it. */
export interface SurvivingHistory {
  readonly kept: KeptHistory;
  /** Of its last event. */
  readonly position: EventPosition;
  readonly latest: LatestEvents;
}

export function survivingOf(snapshot: ChannelSnapshot): SurvivingHistory {
  const { position, oldestKept, spans, lastStatus, currentTerminal } = snapshot;
  const kept = { oldestKept, newest: position.offset, spans };
  return { kept, position, latest: { status: lastStatus, terminal: currentTerminal } };
}
