import { connectionOfRequests, refusalOf, request, type Watching } from "./http-requests.ts";
import type { ConnectionRequest, Transport } from "./transport.ts";
import type { Frame } from "./watched-events.ts";

const WAIT_SECONDS = 25;

/** Reads that wait, one after the other for each analysis: they get through if nothing else does. */
export const longPoll: Transport = {
  name: "poll",
  isSupported: () => true,
  open: (asked, owner) =>
    connectionOfRequests(asked, owner, (id, position, watching) => poll(asked, id, position, watching)),
};

async function poll(
  asked: ConnectionRequest,
  id: string,
  position: string | undefined,
  watching: Watching,
): Promise<void> {
  const path = encodeURIComponent(id);
  const read = async <Answer>(below: string) => {
    const response = await request(asked, watching.token(), path + below, watching);
    return (await response.json()) as Answer;
  };
  let isCaughtUp = false;
  while (!watching.signal.aborted) {
    if (position === undefined) {
      const state = await read<Readonly<Record<string, unknown>>>("");
      position = state.last_event_id as string;
      watching.took({ ...state, event_type: "analysis_state" });
    }
    const wait = isCaughtUp ? WAIT_SECONDS : 0;
    const query = `/events?after=${encodeURIComponent(position)}&wait=${wait}&limit=1000`;
    const { events, frames = [], last_event_id, resumed } = await read<Page>(query);
    if (!Array.isArray(events)) throw refusalOf(1006, "no gateway answers there");
    if (resumed === false) {
      isCaughtUp = false;
      position = undefined;
      continue;
    }
    position = last_event_id;
    for (const frame of [...events, ...frames]) watching.took(frame);
    if (!isCaughtUp && events.length === 0) {
      isCaughtUp = true;
      watching.took({ event_type: "caught_up", analysis_id: id, last_event_id });
    }
    watching.heard();
  }
}

interface Page {
  readonly events: readonly Frame[];
  readonly frames?: readonly Frame[];
  readonly last_event_id: string;
  readonly resumed: boolean | null;
}
