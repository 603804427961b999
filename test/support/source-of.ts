import { type Announcements, NOTHING_ANNOUNCED } from "../../src/application/fan-out/announcements.ts";
import type { Broadcaster } from "../../src/application/fan-out/broadcaster.ts";
import type { ChannelFeed } from "../../src/application/fan-out/channel-feed.ts";
import type { PublishedEvent } from "../../src/application/ports/pub-sub-port.ts";
import { isOnHistory, type KeptHistory } from "../../src/domain/event-position.ts";
import { type LatestState, NOTHING_PUBLISHED } from "../../src/domain/latest-state.ts";

/** A channel's history, as a broker has it. */
export interface SomeHistory {
  readonly kept: KeptHistory;
  readonly latest: LatestState;
}

/** A channel, as a delivery sees it. */
export interface SomeSource {
  readonly broadcaster: Broadcaster;
  readonly replays: Pick<ChannelFeed, "latest" | "readOn" | "resync"> & {
    readonly states: Pick<ChannelFeed["states"], "untilRead">;
    readonly announcer: { readonly current: Announcements };
  };
}

/** A channel whose broker has `history`, of which it keeps `events`; nothing at all if it is left out. */
export function sourceOf(
  broadcaster: Broadcaster,
  history?: SomeHistory,
  events: readonly PublishedEvent[] = [],
): SomeSource {
  const latest = history?.latest ?? NOTHING_PUBLISHED;
  const replays: SomeSource["replays"] = {
    readOn: async (after) => ({
      resumed: after === undefined || (history !== undefined && isOnHistory(after, history.kept)),
      events: events.filter(({ position }) => position.offset > (after?.offset ?? 0)),
      from: 0,
      start: after,
      newest: latest.position,
    }),
    resync: () => {},
    states: { untilRead: async () => undefined },
    announcer: { current: NOTHING_ANNOUNCED },
    latest,
  };
  return { broadcaster, replays };
}
