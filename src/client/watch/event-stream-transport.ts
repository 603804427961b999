import { framesOf, type RequestRefused, refusalOf, request } from "./http-requests.ts";
import type { Connection, ConnectionOwner, ConnectionRequest, Place, Transport } from "./transport.ts";

/** Server-sent events over `fetch`, since `EventSource` sends no token. */
export const eventStream: Transport = { name: "sse", open: (asked, owner) => open(asked, owner, false) };
/** The gateway ends each stream after the first news: networks that pass on nothing but whole answers let these through. */
export const longPoll: Transport = { name: "poll", open: (asked, owner) => open(asked, owner, true) };

/** The most analyses that the gateway takes on one stream. */
const MOST_PLACES = 100;
/** A stream that says nothing for so long is as good as none, whatever the others say. */
const SILENT_MS = 45_000;

/** A stream tries again by itself what the gateway refused for now, but for these. */
const ASKED_AGAIN = /^(too_many_subscriptions|position_gone)$/;

/** Analyses that share a stream. */
interface Group {
  readonly places: Set<Place>;
  stop(): void;
}

function open(
  { base, token, conflate, environment }: ConnectionRequest,
  owner: ConnectionOwner,
  wait: boolean,
): Connection {
  const groups: Group[] = [];
  let isOpened = false;
  const close = () => {
    for (const group of groups) group.stop();
  };

  const follow = async (group: Group) => {
    group.stop();
    const controller = new AbortController();
    const { signal } = controller;
    let stopTimer = () => {};
    group.stop = () => {
      stopTimer();
      controller.abort();
    };
    const fail = ({ code, message }: Pick<RequestRefused, "message"> & Partial<RequestRefused>) => {
      if (signal.aborted) return;
      close();
      // A runtime's own code, as `ECONNRESET`, is that of a link that broke.
      owner.ended(Number(code) || 1006, message);
    };
    const heard = () => {
      owner.heard();
      stopTimer();
      stopTimer = environment.after(SILENT_MS, () => fail({ message: "the link went silent" }));
    };
    try {
      do {
        // All that are subscribed to in one turn share the request.
        await undefined;
        if (signal.aborted) return;
        heard();
        let path = `events?replay=state&markers=1&conflate=${conflate}`;
        // A network that holds back unfinished answers shows only by a short one that it lets them through.
        if (wait) path += `&wait=${isOpened ? 25 : 1}`;
        for (const { analysisId, position } of group.places)
          path += `&analysis=${encodeURIComponent(analysisId + (position ? `@${position}` : ""))}`;
        const response = await request({ base, environment }, token, path, { signal });
        for await (const frame of framesOf(response, signal, heard)) {
          if (signal.aborted) return;
          if (frame.event_type === "subscription_refused" && (wait || ASKED_AGAIN.test(frame.code as string)))
            for (const place of group.places)
              if (place.analysisId === frame.analysis_id) group.places.delete(place);
          if (!isOpened) owner.opened(frame);
          isOpened = true;
          // Each stream has the notices.
          if (frame.event_type !== "notice" || group === groups.find(({ places }) => places.size > 0))
            owner.took(frame);
        }
        if (!wait) throw refusalOf(1006, "");
      } while (group.places.size > 0);
    } catch (error) {
      fail(error as Error);
    }
  };

  return {
    subscribe(place) {
      let group =
        groups.find(({ places }) => places.has(place)) ??
        groups.find(({ places }) => places.size < MOST_PLACES);
      if (group === undefined) {
        group = { places: new Set(), stop() {} };
        groups.push(group);
      }
      const { size } = group.places;
      if (group.places.add(place).size > size) follow(group);
    },
    unsubscribe(place) {
      for (const { places, stop } of groups) if (places.delete(place) && !places.size) stop();
    },
    ping: () => false,
    authenticate: wait
      ? (next) => {
          token = next;
        }
      : undefined,
    close,
  };
}
