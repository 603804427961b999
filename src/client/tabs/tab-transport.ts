import type { AnalysisState } from "../../domain/analysis-state.ts";
import { afterFrame } from "../watch/after-frame.ts";
import type { Connection, ConnectionOwner, ConnectionRequest, Place, Transport } from "../watch/transport.ts";
import type { Frame } from "../watch/watched-events.ts";
import { standForLeader } from "./leader.ts";
import { groupOf } from "./tab-group.ts";
import type { LeaderMessage, TabMessage } from "./tab-messages.ts";

/** A leader that does not answer for so long, or twice as long, is frozen: another tab takes its place. */
const ANSWER_MS = 3_000;
const LINK_BROKEN = 1006;

/** The states that the frames so far have come to, over all connections: another leader goes on from there. */
const states = new WeakMap<Place, AnalysisState>();

/** Over the connection of the tab that leads, which this one may be. */
export const tabTransport: Transport = { name: "tabs", open };

function open(request: ConnectionRequest, owner: ConnectionOwner): Connection {
  const { environment, token } = request;
  const name = groupOf(request);
  const tab = crypto.randomUUID();
  const channel = new BroadcastChannel(name);
  const places = new Set<Place>();
  const closing = new AbortController();
  let leader: string | undefined;
  let stopTimer = () => {};
  let stand = () => {};
  let sent = 0;
  let received = 0;
  const post = (message: object) => {
    if (leader === undefined || closing.signal.aborted) return;
    sent += 1;
    channel.postMessage({ ...message, tab, to: leader, count: sent } as TabMessage);
  };
  const ask = () => channel.postMessage({ do: "open", tab, token } satisfies TabMessage);

  const close = () => {
    if (closing.signal.aborted) return;
    post({ do: "close" });
    stopTimer();
    closing.abort();
    stand();
    channel.close();
  };
  const end = (code: number, reason: string) => {
    if (closing.signal.aborted) return;
    close();
    owner.ended(code, reason);
  };
  const subscribe = (place: Place) => {
    const state = place.position === undefined ? null : (states.get(place) ?? null);
    post({ do: "subscribe", id: place.analysisId, state });
  };
  const took = (frame: Frame) => {
    const { event_type, analysis_id } = frame;
    for (const place of places) {
      if (place.analysisId !== analysis_id) continue;
      const state = states.get(place);
      if (event_type === "analysis_state") {
        const { event_type: _, ...next } = frame;
        states.set(place, next as unknown as AnalysisState);
      } else if (state) states.set(place, afterFrame(state, frame) ?? state);
    }
    owner.took(frame);
  };
  const joined = (by: string) => {
    leader = by;
    stopTimer();
    owner.heard();
    places.forEach(subscribe);
  };

  channel.onmessage = ({ data }: MessageEvent<LeaderMessage>) => {
    if (data.leader === undefined || closing.signal.aborted) return;
    const { leader: by } = data;
    if (data.to === undefined) {
      // Another tab leads from now on.
      if (leader === undefined) ask();
      else if (by !== leader) end(LINK_BROKEN, "another tab leads");
      return;
    }
    if (data.to !== tab || by !== (leader ?? by)) return;
    received += 1;
    if (data.count !== received) return end(LINK_BROKEN, "a message between tabs was lost");
    if (data.says === "here") return joined(by);
    owner.heard();
    if (data.says === "opened") owner.opened(data.frame);
    else if (data.says === "frame") took(data.frame);
    else if (data.says === "ended") end(data.code, data.reason);
  };

  // While it is held, this tab is alive.
  navigator.locks
    .request(`${name}:${tab}`, { signal: closing.signal }, async () => {
      stand = standForLeader(name, request);
      ask();
      stopTimer = environment.after(ANSWER_MS * (1 + environment.random()), () => {
        stand();
        stand = standForLeader(name, request, true);
      });
      await new Promise((resolve) => closing.signal.addEventListener("abort", resolve));
    })
    .catch((error: Error) => end(LINK_BROKEN, error.message));

  return {
    subscribe(place) {
      places.add(place);
      subscribe(place);
    },
    unsubscribe(place) {
      places.delete(place);
      post({ do: "unsubscribe", id: place.analysisId });
    },
    ping() {
      post({ do: "ping" });
      return true;
    },
    authenticate: (next) => post({ do: "authenticate", token: next }),
    close,
  };
}
