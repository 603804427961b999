/**
 * A frame as a server-sent event: the same text as on a WebSocket, its type, and its position where it may be resumed
 * from. A notice has a position of its own channel, hence none here.
 */
export function sseBlock(text: string): string {
  // Everybody on a channel is sent the same text, one after the other.
  if (text !== lastText) {
    lastText = text;
    lastBlock = blockOf(text);
  }
  return lastBlock;
}

/** A line that keeps proxies and clients from taking silence for the end. */
export const SSE_COMMENT = ": still here\n\n";

/** When a client should come back by itself. */
export function sseRetry(milliseconds: number): string {
  return `retry: ${milliseconds}\n\n`;
}

let lastText = "";
let lastBlock = "";

function blockOf(text: string): string {
  const { event_type, event_id } = JSON.parse(text) as { event_type: string; event_id?: string };
  const id = event_id === undefined || event_type === "notice" ? "" : `id: ${event_id}\n`;
  return `${id}event: ${event_type}\ndata: ${text}\n\n`;
}
