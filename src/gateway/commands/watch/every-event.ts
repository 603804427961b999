import type { SocketLike } from "../../../client/watch/environment.ts";
import type {
  Connection,
  ConnectionOwner,
  ConnectionRequest,
  Transport,
} from "../../../client/watch/transport.ts";
import { type Frame, parseFrame, type WatchedEvent } from "../../../client/watch/watched-events.ts";
import { webSocket } from "../../../client/watch/web-socket-transport.ts";
import { emptyState } from "../../../domain/analysis-state.ts";

export interface EveryEvent {
  readonly transport: Transport;
  /** An event as it came, with the numbers that JavaScript cannot hold; undefined if it is no event of the gateway's history. */
  textOf(event: WatchedEvent): string | undefined;
}

/**
 * A WebSocket of one analysis that begins with every event that is kept, or those after `after`, instead of the state. The events are folded
 * from nothing.
 */
export function everyEvent(after: string | undefined): EveryEvent {
  const texts = new WeakMap<object, string>();
  const note = (frame: Frame, text: string) => {
    if (typeof frame.event_id === "string") texts.set(frame, text);
  };
  return {
    transport: {
      name: "websocket",
      isSupported: webSocket.isSupported,
      open: (request, owner) => open(request, owner, after, note),
    },
    textOf: (event) => texts.get(event),
  };
}

function open(
  { base, token, conflate, environment }: ConnectionRequest,
  owner: ConnectionOwner,
  after: string | undefined,
  note: (frame: Frame, text: string) => void,
): Connection {
  const Socket = environment.WebSocket as NonNullable<typeof environment.WebSocket>;
  let socket: SocketLike | undefined;
  const close = () => {
    const closed = socket;
    socket = undefined;
    closed?.close(1000);
  };
  const end = (code: number, reason: string) => {
    close();
    owner.ended(code, reason);
  };

  const listen = (own: SocketLike, analysisId: string, asked: string | undefined, resumes: boolean) => {
    let isOpened = false;
    const established = (frame: Frame) => {
      if (!isOpened) owner.opened(frame);
      isOpened = true;
      owner.took({ event_type: "subscribed", analysis_id: analysisId, resumed: frame.resumed });
      if (resumes && frame.resumed === true) return;
      const last_event_id = frame.resumed === true ? (asked as string) : "0";
      owner.took({ event_type: "analysis_state", ...emptyState(analysisId), last_event_id });
    };
    own.addEventListener("message", ({ data }) => {
      if (socket !== own) return;
      owner.heard();
      const frame = parseFrame(data);
      if (frame === undefined) return end(1006, "no gateway answers there");
      note(frame, data as string);
      if (frame.event_type === "connection_established") established(frame);
      else owner.took(frame);
    });
    own.addEventListener("close", ({ code, reason }) => {
      if (socket === own) end(code, reason);
    });
    // Always followed by a close, which says more.
    own.addEventListener("error", () => {});
  };

  return {
    subscribe({ analysisId, position }) {
      close();
      const asked = position ?? after;
      const query = new URLSearchParams({ replay: "all", markers: "1", conflate });
      // "0" is before the first event of all, which is gone once the history was trimmed.
      if (asked !== undefined && asked !== "0") query.set("last_event_id", asked);
      const address = `${base.replace(/^http/i, "ws")}/ws/analysis/${encodeURIComponent(analysisId)}?${query}`;
      socket = new Socket(address, ["telltale.v1", `bearer.${token}`]);
      listen(socket, analysisId, asked, position !== undefined);
    },
    unsubscribe: close,
    ping() {
      socket?.send('{"type":"ping"}');
      return true;
    },
    authenticate: (next) => socket?.send(JSON.stringify({ type: "authenticate", token: next })),
    close,
  };
}
