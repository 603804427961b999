import type { Msg } from "@nats-io/transport-node";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { ByteBudget } from "../../domain/byte-budget.ts";
import type { DeliveredPlace } from "./delivered-message.ts";
import type { NatsLink } from "./nats-link.ts";
import { pull, type ReaderTerms, withReader } from "./stream-reader.ts";

/** A message as a stream keeps it. */
export interface KeptMessage {
  readonly sequence: number;
  readonly subject: string;
  /** When the stream stored it, in milliseconds since 1970 by the broker's clock. */
  readonly at: number;
  /** The same instant in nanoseconds, all digits of it. */
  readonly nanoseconds: string;
  readonly data: Uint8Array;
  /** The bytes of its data, which a reader of headers does not get. */
  readonly size: number;
}

export interface StreamBatch {
  readonly messages: readonly KeptMessage[];
  /** How many messages follow the last one, as far as the reader knows. */
  readonly pending: number;
  /** The broker's clock when the reader was made, in milliseconds since 1970. */
  readonly brokerNow: number;
}

/**
 * Reads the oldest messages of a stream from a sequence on, in order, and leaves them there. It reads as many as the budget
 * holds, and one more message's bytes at most; one if there is one. Rejects as a request does.
 */
export function readBatch(
  link: NatsLink,
  timers: ClockPort,
  stream: string,
  { budget, ...terms }: BatchOptions,
): Promise<StreamBatch> {
  return withReader(link, stream, terms, async (reader) => {
    const messages: KeptMessage[] = [];
    const take = (message: Msg, place: DeliveredPlace) => {
      messages.push(keptOf(message, place));
      return true;
    };
    if (reader.pending > 0) await pull(link, timers, reader, budget, take);
    return { messages, pending: reader.pending - messages.length, brokerNow: reader.createdAt };
  });
}

interface BatchOptions extends ReaderTerms {
  readonly budget: ByteBudget;
}

/** The broker's clock, in milliseconds since 1970: a reader is made for its time alone. */
export function brokerTime(link: NatsLink, stream: string): Promise<number> {
  return withReader(link, stream, { from: 1, headersOnly: true }, async ({ createdAt }) => createdAt);
}

/** How many messages a stream has from a sequence on. Rejects as a request does. */
export function countFrom(link: NatsLink, stream: string, from: number): Promise<number> {
  return withReader(link, stream, { from, headersOnly: true }, async ({ pending }) => pending);
}

function keptOf(message: Msg, { sequence, at, nanoseconds }: DeliveredPlace): KeptMessage {
  return {
    ...{ sequence, subject: message.subject, at, nanoseconds },
    // The client keeps the buffer that it read into for as long as the bytes are used.
    data: message.data,
    size: Number(message.headers?.get("Nats-Msg-Size") || message.data.length),
  };
}
