import type { AnalysisChannel } from "../../domain/channel.ts";
import { type EventPosition, isOnHistory, type KeptHistory } from "../../domain/event-position.ts";
import type { ChannelSnapshot, PublishedEvent, PubSubPort } from "../ports/pub-sub-port.ts";
import type { LatestEvents } from "./latest-events.ts";

const PAGE = 1_000;

/** What the broker has of a channel after something was lost or may have forked: everybody is judged by it. */
export interface SurvivingHistory {
  readonly kept: KeptHistory;
  /** Of its last event. */
  readonly position: EventPosition;
  readonly latest: LatestEvents;
  /** In order up to `position`, from the first that anybody needs; empty where nobody needs any. */
  readonly events: readonly PublishedEvent[];
}

/**
 * Reads of the history that `snapshot` describes what follows `after` (undefined: the oldest kept). Undefined where
 * the history was lost or trimmed meanwhile, so that it has to be judged anew. Rejects as `PubSubPort.history` does.
 */
export async function readSurviving(
  pubSub: PubSubPort,
  channel: AnalysisChannel,
  snapshot: ChannelSnapshot,
  after: EventPosition | undefined | "nothing",
): Promise<SurvivingHistory | undefined> {
  const events: PublishedEvent[] = [];
  let more = after !== "nothing";
  for (let from = after === "nothing" ? undefined : after; more; ) {
    const page = await pubSub.history(channel, from, PAGE);
    const sameHistory = snapshot.position.offset === 0 || isOnHistory(snapshot.position, page.kept);
    if (!page.resumed || !sameHistory) return undefined;
    // What is newer than the snapshot comes as an event of its own.
    const known = page.events.filter(({ position }) => position.offset <= snapshot.position.offset);
    events.push(...known);
    more = known.length === PAGE;
    from = known.at(-1)?.position;
  }
  const { position, lastStatus, standingTerminal } = snapshot;
  const latest = { status: lastStatus, terminal: standingTerminal };
  return { kept: keptOf(snapshot), position, latest, events };
}

export function keptOf({ position, oldestKept, spans }: ChannelSnapshot): KeptHistory {
  return { oldestKept, newest: position.offset, spans };
}
