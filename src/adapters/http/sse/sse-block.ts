import type { ControlFrame, Frame } from "../../../application/ports/client-connection-port.ts";
import type { PublishedEvent } from "../../../application/ports/pub-sub-port.ts";
import { eventTypeOf } from "../../../domain/event-kind.ts";
import { formatEventId } from "../../../domain/event-position.ts";

/**
 * What is written at once, in bytes. The runtime copies the piece that a slow client has not taken; the others are
 * views of bytes that all watchers of the channel share.
 */
const PIECE_BYTES = 64 * 1024;

/** A line that keeps proxies and clients from taking silence for the end. */
export const SSE_COMMENT: Block = piecesOf(": still here\n\n");

/** One server-sent event in its bytes, in pieces. Shared: to be written and never changed. */
export type Block = readonly Uint8Array[];

/** Of events alone: everybody on a channel is sent the same one, whenever they come to it. */
const encoded = new WeakMap<PublishedEvent, Block>();

/**
 * A frame as a server-sent event: the same text as on a WebSocket, its type, and its position if it may be resumed
 * from. A notice has a position of its own channel, hence none here.
 */
export function sseBlock(frame: Frame): Block {
  if (!("position" in frame)) return piecesOf(blockOf(frame));
  const known = encoded.get(frame);
  if (known !== undefined) return known;
  const id = frame.kind === "notice" ? "" : `id: ${formatEventId(frame.position)}\n`;
  const block = piecesOf(id + blockOf({ eventType: eventTypeOf(frame.kind), text: frame.text }));
  encoded.set(frame, block);
  return block;
}

/** When a client should come back by itself. */
export function sseRetry(milliseconds: number): Block {
  return piecesOf(`retry: ${milliseconds}\n\n`);
}

function blockOf({ eventType, text }: ControlFrame): string {
  return `event: ${eventType}\ndata: ${text}\n\n`;
}

function piecesOf(text: string): Block {
  const bytes = new TextEncoder().encode(text);
  const pieces: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; from += PIECE_BYTES)
    pieces.push(bytes.subarray(from, from + PIECE_BYTES));
  return pieces;
}
