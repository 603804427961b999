import { connectionOfRequests, refusalOf, request, type Watching } from "./http-requests.ts";
import type { ConnectionRequest, Transport } from "./transport.ts";
import { parseFrame } from "./watched-events.ts";

/** Server-sent events, one stream for each analysis, over `fetch`: `EventSource` sends no token. */
export const eventStream: Transport = {
  name: "sse",
  open: (asked, owner) =>
    connectionOfRequests(owner, (id, position, watching) => stream(asked, id, position, watching)),
};

async function stream(
  asked: ConnectionRequest,
  id: string,
  position: string | undefined,
  watching: Watching,
): Promise<void> {
  const after = position === undefined ? "" : `&last_event_id=${encodeURIComponent(position)}`;
  const path = `${encodeURIComponent(id)}/events?replay=state&markers=1&conflate=${asked.conflate}${after}`;
  const response = await request(asked, asked.token, path, {
    accept: "text/event-stream",
    signal: watching.signal,
  });
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream") || !response.body)
    throw refusalOf(1006, "no gateway answers there");
  let waiting = "";
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw refusalOf(1006, "");
    watching.heard();
    waiting += decoder.decode(value, { stream: true });
    const blocks = waiting.split("\n\n");
    waiting = blocks.pop() as string;
    for (const block of blocks) {
      const members = /^data: ?{(.*)/m.exec(block)?.[1];
      if (members === undefined) continue;
      const type = /^event: ?(.*)/m.exec(block)?.[1];
      const frame = parseFrame(`{"event_type":"${type}",${members}`);
      if (frame === undefined) throw refusalOf(1006, "no gateway answers there");
      if (frame.event_type === "closing") {
        const { code, reason, retry_after_ms } = frame;
        const wait = retry_after_ms === undefined ? "" : ` retry_after_ms=${retry_after_ms}`;
        throw refusalOf(code as number, reason + wait);
      }
      watching.took(frame);
    }
  }
}
