import type { Broadcaster } from "../../src/application/fan-out/broadcaster.ts";
import type { DeliverySource, ReplaySource } from "../../src/application/fan-out/delivery-source.ts";
import type { SurvivingHistory } from "../../src/application/fan-out/surviving-history.ts";
import type { PublishedEvent } from "../../src/application/ports/pub-sub-port.ts";
import { isOnHistory } from "../../src/domain/event-position.ts";

/** A channel whose broker has `history`, of which it keeps `events`; nothing at all where it is left out. */
export function sourceOf(
  broadcaster: Broadcaster,
  history?: SurvivingHistory,
  events: readonly PublishedEvent[] = [],
): DeliverySource {
  const nowhere = { epoch: "", offset: 0 };
  const replays: ReplaySource = {
    readOn: async (after) => ({
      resumed: after === undefined || (history !== undefined && isOnHistory(after, history.kept)),
      events: events.filter(({ position }) => position.offset > (after?.offset ?? 0)),
      from: 0,
      start: after,
      newest: history?.position ?? nowhere,
    }),
    doubt: () => {},
    now: () => history ?? { position: nowhere, latest: { status: undefined, terminal: undefined } },
  };
  return { broadcaster, replays };
}
