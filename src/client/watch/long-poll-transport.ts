import { connectionOfRequests, refusalOf, request, type Watching } from "./http-requests.ts";
import type { Transport } from "./transport.ts";
import type { Frame } from "./watched-events.ts";

const WAIT_SECONDS = 25;

/** Reads that wait, one after the other for each analysis: they get through if nothing else does. */
export const longPoll: Transport = {
  name: "poll",
  open(asked, owner) {
    let { token } = asked;
    const read = async (path: string, signal: AbortSignal) =>
      (await request(asked, token, path, { signal })).json();
    return {
      ...connectionOfRequests(owner, (id, position, watching) => poll(read, id, position, watching)),
      authenticate(next) {
        token = next;
      },
    };
  },
};

async function poll(
  read: (path: string, signal: AbortSignal) => Promise<unknown>,
  id: string,
  position: string | undefined,
  watching: Watching,
): Promise<void> {
  const path = encodeURIComponent(id);
  let isCaughtUp = false;
  while (!watching.signal.aborted) {
    if (position === undefined) {
      const state = (await read(path, watching.signal)) as Readonly<Record<string, unknown>>;
      position = state.last_event_id as string;
      watching.took({ ...state, event_type: "analysis_state" });
    }
    const wait = isCaughtUp ? WAIT_SECONDS : 0;
    const query = `${path}/events?after=${encodeURIComponent(position)}&wait=${wait}&limit=1000`;
    const { events, frames = [], last_event_id, resumed } = (await read(query, watching.signal)) as Page;
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
