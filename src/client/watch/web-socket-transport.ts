import type { Connection, ConnectionOwner, ConnectionRequest, Place, Transport } from "./transport.ts";
import { parseFrame } from "./watched-events.ts";

/** One socket for all analyses. */
export const webSocket: Transport = {
  name: "websocket",
  isSupported: ({ WebSocket }) => !!WebSocket,
  open,
};

function open({ base, token, conflate, environment }: ConnectionRequest, owner: ConnectionOwner): Connection {
  const Socket = environment.WebSocket as NonNullable<typeof environment.WebSocket>;
  // Never in the address: proxies log it.
  const socket = new Socket(`${base.replace(/^http/i, "ws")}/ws?markers=1&conflate=${conflate}`, [
    "telltale.v1",
    `bearer.${token}`,
  ]);
  /** How many answers to subscriptions are due. A frame that comes before the last of them belongs to an earlier subscription. */
  const due = new Map<string, number>();
  /** Those that wait for the socket to open. */
  const early = new Set<Place>();
  let isOpened = false;
  let isOver = false;
  const send = (frame: object) => {
    socket.send(JSON.stringify(frame));
    return true;
  };
  const close = () => {
    isOver = true;
    socket.close(1000);
  };
  const end = (code: number, reason: string) => {
    if (isOver) return;
    close();
    owner.ended(code, reason);
  };

  const subscribe = (place: Place) => {
    if (!isOpened) {
      early.add(place);
      return;
    }
    early.delete(place);
    const { analysisId, position } = place;
    due.set(analysisId, (due.get(analysisId) ?? 0) + 1);
    send({ type: "subscribe", analysis_id: analysisId, replay: "state", last_event_id: position });
  };

  socket.addEventListener("message", ({ data }) => {
    if (isOver) return;
    owner.heard();
    const frame = parseFrame(data);
    if (frame === undefined) return end(1006, "no gateway answers there");
    const { event_type, analysis_id } = frame;
    const id = analysis_id as string;
    if (event_type === "connection_established") {
      isOpened = true;
      owner.opened(frame);
      early.forEach(subscribe);
      return;
    }
    const left = due.get(id);
    if (left) {
      if (event_type !== "subscribed" && event_type !== "subscription_refused") return;
      due.set(id, left - 1);
      if (left > 1) return;
    }
    owner.took(frame);
  });
  socket.addEventListener("close", ({ code, reason }) => end(code, reason));
  // Node 22 says no more of a socket that was never open; a close with a code comes without it.
  socket.addEventListener("error", () => end(1006, ""));

  return {
    subscribe,
    unsubscribe(place) {
      if (!early.delete(place)) send({ type: "unsubscribe", analysis_id: place.analysisId });
    },
    ping: () => send({ type: "ping" }),
    authenticate: (token) => send({ type: "authenticate", token }),
    close,
  };
}
