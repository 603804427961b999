import type { AnalysisState } from "../../domain/analysis-state.ts";
import { afterFrame } from "../watch/after-frame.ts";
import type {
  Connection,
  ConnectionOwner,
  ConnectionRequest,
  Place,
  Transport,
  TransportChoice,
} from "../watch/transport.ts";
import type { Frame } from "../watch/watched-events.ts";
import { standForLeader } from "./leader.ts";
import { groupOf } from "./tab-group.ts";
import type { LeaderMessage, TabMessage } from "./tab-messages.ts";
import { type CheckedTab, type TokenCheck, tokenChecks } from "./token-check.ts";

/** A leader that does not answer for so long, or twice as long, is frozen: another tab takes its place. */
const ANSWER_MS = 3_000;
/** A leader that does not answer a ping for so long is frozen too. */
const SILENT_MS = 9_000;
const LINK_BROKEN = 1006;

/** The states that the frames so far have come to, over all connections: another leader goes on from there. */
const states = new WeakMap<Place, AnalysisState>();

/**
 * Over the connection of the tab that leads, which this one may be: its own is chosen by `choice`. Calls `cannotShare` if this page has to
 * have its own.
 */
export function tabTransport(choice: TransportChoice, cannotShare: () => void): Transport {
  const check = tokenChecks(cannotShare);
  return { name: "tabs", open: (request, owner) => open(request, owner, { choice, cannotShare, check }) };
}

interface Sharing {
  readonly choice: TransportChoice;
  cannotShare(): void;
  check(tab: CheckedTab): TokenCheck;
}

function open(
  request: ConnectionRequest,
  owner: ConnectionOwner,
  { choice, cannotShare, check }: Sharing,
): Connection {
  const { environment } = request;
  const name = groupOf(request);
  const tab = crypto.randomUUID();
  const channel = new BroadcastChannel(name);
  const places = new Set<Place>();
  const closing = new AbortController();
  let { token } = request;
  let leader: string | undefined;
  /** By how much the gateway's clock is ahead, in milliseconds. */
  let ahead = 0;
  /** Whether the leader was asked for the analyses of this tab. */
  let isServed = false;
  /** When the first ping without an answer was sent. */
  let pingedAt: number | undefined;
  let stopTimer = () => {};
  let stand = () => {};
  let sent = 0;
  let received = 0;
  const post = (message: object) => {
    if (leader === undefined || closing.signal.aborted) return;
    sent += 1;
    channel.postMessage({ ...message, tab, to: leader, count: sent } as TabMessage);
  };
  const ask = () => channel.postMessage({ do: "open", tab } satisfies TabMessage);
  const isOwn = () => leader?.startsWith(tab);

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
  const serve = () => {
    isServed = true;
    places.forEach(subscribe);
  };
  const joined = (by: string) => {
    leader = by;
    stopTimer();
    owner.heard();
    // The gateway judges the leader's token by the connection.
    if (isOwn()) serve();
  };
  const checking = check({
    request,
    signal: closing.signal,
    analysisId: () => [...places][0]?.analysisId,
    now: () => environment.now() + ahead,
    ended: end,
  });
  const opened = (frame: Frame) => {
    if (isOwn()) return owner.opened(frame);
    ahead = Date.parse(frame.timestamp as string) - environment.now();
    checking.take(token, () => {
      owner.opened(frame);
      serve();
    });
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
    pingedAt = undefined;
    owner.heard();
    if (data.says === "opened") opened(data.frame);
    else if (data.says === "frame") took(data.frame);
    else if (data.says === "ended") end(data.code, data.reason);
  };

  // While it is held, this tab is alive.
  navigator.locks
    .request(`${name}:${tab}`, { signal: closing.signal }, async () => {
      const seat = { ...request, name, tab, choice, token: () => token };
      stand = standForLeader(seat);
      ask();
      stopTimer = environment.after(ANSWER_MS * (1 + environment.random()), () => {
        stand();
        stand = standForLeader(seat, true);
      });
      await new Promise((resolve) => closing.signal.addEventListener("abort", resolve));
    })
    .catch((error: Error) => {
      if (closing.signal.aborted) return;
      // A page without an origin, or whose storage is blocked, has no locks.
      end(LINK_BROKEN, error.message);
      cannotShare();
    });
  // Timers stand still from here on: the other tabs go on without this one, which comes back when it is thawed.
  globalThis.document?.addEventListener("freeze", () => end(LINK_BROKEN, "the page is frozen"), {
    signal: closing.signal,
  });

  return {
    subscribe(place) {
      places.add(place);
      if (isServed) subscribe(place);
    },
    unsubscribe(place) {
      places.delete(place);
      if (isServed) post({ do: "unsubscribe", id: place.analysisId });
    },
    ping() {
      if (pingedAt !== undefined && environment.now() - pingedAt >= SILENT_MS)
        queueMicrotask(() => end(LINK_BROKEN, "the tab that leads is silent"));
      pingedAt ??= environment.now();
      post({ do: "ping" });
      return true;
    },
    authenticate(next) {
      if (groupOf({ ...request, token: next }) !== name) return end(LINK_BROKEN, "the user is another one");
      token = next;
      if (!isOwn()) checking.take(next, () => {});
    },
    close,
  };
}
