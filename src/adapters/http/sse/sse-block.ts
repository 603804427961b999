import type { Frame, StateFrame } from "../../../application/ports/client-connection-port.ts";
import type { PublishedEvent } from "../../../application/ports/pub-sub-port.ts";
import { comesBack, retryAfterOf } from "../../../domain/close-code.ts";
import { eventTypeOf } from "../../../domain/event-kind.ts";
import { formatEventId } from "../../../domain/event-position.ts";

/** One server-sent event in its bytes, in pieces. Streams share it, so nobody changes it. */
export type Block = readonly Uint8Array[];

/**
 * The bytes of one piece. The runtime copies the piece that a slow client has not taken; the other pieces are views of
 * bytes that all watchers of the channel share.
 */
const PIECE_BYTES = 64 * 1024;

/** A line that keeps proxies and clients from taking silence for the end. */
export const SSE_COMMENT: Block = piecesOf(": still here\n\n");

/** The blocks of events: each event is encoded once for all streams of its channel, early and late ones. */
const encoded = new WeakMap<Frame, Block>();

/**
 * A frame as a server-sent event: the text that a WebSocket gets, its type, and its `id` if a client may resume from it.
 * The position of a notice belongs to another channel, so a notice has no `id`.
 */
export function sseBlock(frame: Frame): Block {
  if (frame.position === undefined) return piecesOf(blockOf(frame.kind, frame.text));
  const known = encoded.get(frame);
  if (known !== undefined) return known;
  const id = frame.kind === "notice" ? "" : `id: ${formatEventId(frame.position)}\n`;
  const block = piecesOf(id + blockOf(typeOf(frame), frame.text));
  encoded.set(frame, block);
  return block;
}

/** The same events for streams of many analyses, which put an `id` of their own before them. */
const encodedWithoutId = new WeakMap<Frame, Block>();

/** As `sseBlock`, on a stream of many analyses: `id` answers the position over all of them. */
export function sseBlockOfMany(frame: Frame, id: () => string): Block {
  if (frame.position === undefined || frame.kind === "notice") return sseBlock(frame);
  const rest = encodedWithoutId.get(frame) ?? piecesOf(blockOf(typeOf(frame), frame.text));
  encodedWithoutId.set(frame, rest);
  return [...piecesOf(`id: ${id()}\n`), ...rest];
}

function typeOf({ kind }: PublishedEvent | StateFrame): string {
  return kind === "analysis_state" ? kind : eventTypeOf(kind);
}

/** Tells the client when to come back by itself. */
export function sseRetry(milliseconds: number): Block {
  return piecesOf(retryText(milliseconds));
}

/** The last event of a stream that the gateway ends: why, and whether and when the client comes back. */
export function sseClosing(code: number, reason: string): string {
  const retryAfterMs = retryAfterOf(reason);
  const reconnect = comesBack({ code, reason });
  const data = {
    code,
    reason,
    reconnect,
    ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }),
  };
  const closing = blockOf("closing", JSON.stringify(data));
  return retryAfterMs === undefined ? closing : closing + retryText(retryAfterMs);
}

/** Some time within one and three seconds, so that clients whose link broke at once do not come back at once. */
export function someRetryMs(): number {
  return Math.round(SHORTEST_RETRY_MS + Math.random() * RETRY_SPREAD_MS);
}

const SHORTEST_RETRY_MS = 1_000;
const RETRY_SPREAD_MS = 2_000;

function retryText(milliseconds: number): string {
  return `retry: ${milliseconds}\n\n`;
}

function blockOf(eventType: string, text: string): string {
  return `event: ${eventType}\ndata: ${text}\n\n`;
}

export function piecesOf(text: string): Block {
  const bytes = new TextEncoder().encode(text);
  const pieces: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; from += PIECE_BYTES)
    pieces.push(bytes.subarray(from, from + PIECE_BYTES));
  return pieces;
}
