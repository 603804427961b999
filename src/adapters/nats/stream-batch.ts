import { createInbox, type Msg } from "@nats-io/transport-node";
import { BrokerUnavailable } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { ByteBudget } from "../../domain/byte-budget.ts";
import { callApi } from "./nats-api.ts";
import type { NatsLink } from "./nats-link.ts";

/** A message as a stream keeps it. */
export interface KeptMessage {
  readonly sequence: number;
  readonly subject: string;
  /** When the stream stored it, in milliseconds since 1970 by the broker's clock. */
  readonly at: number;
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

/** A question waits for no more than this for the next message. */
const READ_MS = 2_000;
/** Without a word from its reader for so long the broker forgets where it was. */
const READER_GONE_MS = 5_000;

/**
 * Reads the oldest messages of a stream from a sequence on, in order, and leaves them there. It reads as many as the budget
 * holds, and one more message's bytes at most; one if there is one. Rejects as a request does.
 */
export async function readBatch(
  link: NatsLink,
  timers: ClockPort,
  stream: string,
  { from, budget, headersOnly = false }: BatchOptions,
): Promise<StreamBatch> {
  const created = await createReader(link, stream, from, headersOnly);
  const brokerNow = Date.parse(created.created);
  try {
    const messages =
      created.num_pending === 0
        ? []
        : await pull(link, timers, `CONSUMER.MSG.NEXT.${stream}.${created.name}`, budget);
    return { messages, pending: created.num_pending - messages.length, brokerNow };
  } finally {
    dropReader(link, stream, created);
  }
}

interface BatchOptions {
  readonly from: number;
  readonly budget: ByteBudget;
  /** Whether the data of the messages is left out. */
  readonly headersOnly?: boolean;
}

/** The broker's clock, in milliseconds since 1970: a reader is made for its time alone. */
export async function brokerTime(link: NatsLink, stream: string): Promise<number> {
  const created = await createReader(link, stream, 1, true);
  dropReader(link, stream, created);
  return Date.parse(created.created);
}

/** How many messages a stream has from a sequence on. Rejects as a request does. */
export async function countFrom(link: NatsLink, stream: string, from: number): Promise<number> {
  const created = await createReader(link, stream, from, true);
  dropReader(link, stream, created);
  return created.num_pending;
}

function createReader(
  link: NatsLink,
  stream: string,
  from: number,
  headersOnly: boolean,
): Promise<CreatedReader> {
  return callApi<CreatedReader>(link, `CONSUMER.CREATE.${stream}`, {
    stream_name: stream,
    config: {
      ack_policy: "none",
      deliver_policy: "by_start_sequence",
      opt_start_seq: Math.max(1, from),
      headers_only: headersOnly,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: READER_GONE_MS * 1_000_000,
    },
  });
}

function dropReader(link: NatsLink, stream: string, { name }: CreatedReader): void {
  // If nobody hears it, the broker removes the reader by itself.
  if (link.away === undefined) link.publish(`$JS.API.CONSUMER.DELETE.${stream}.${name}`, "");
}

interface CreatedReader {
  readonly name: string;
  readonly created: string;
  readonly num_pending: number;
}

async function pull(
  link: NatsLink,
  timers: ClockPort,
  call: string,
  { items, bytes }: ByteBudget,
): Promise<readonly KeptMessage[]> {
  const inbox = createInbox();
  const end = Promise.withResolvers<void>();
  const messages: KeptMessage[] = [];
  let cancel = () => {};
  const waitAgain = () => {
    cancel();
    cancel = timers.after(READ_MS, () =>
      end.reject(new BrokerUnavailable("NATS did not go on", { trouble: { cause: "silent" } })),
    );
  };
  const subscription = link.subscribe(inbox, (error, message) => {
    if (error !== null) return end.reject(error);
    // JetStream answers on this subject itself that there are no more, or that the next one is too large.
    if (message.subject === inbox) return end.resolve();
    waitAgain();
    const { kept, pending } = keptOf(message);
    messages.push(kept);
    if (pending === 0 || messages.length === items) end.resolve();
  });
  waitAgain();
  try {
    const largest = link.server?.mostBytes ?? 0;
    link.publish(
      `$JS.API.${call}`,
      JSON.stringify({ batch: items, max_bytes: bytes + largest, no_wait: true }),
      inbox,
    );
    await end.promise;
    return messages;
  } finally {
    cancel();
    subscription.unsubscribe();
  }
}

/** The reply subject says which message it is: `$JS.ACK.stream.reader.1.sequence.1.nanoseconds.pending`. */
function keptOf(message: Msg): { readonly kept: KeptMessage; readonly pending: number } {
  const parts = (message.reply ?? "").split(".");
  // Newer servers put a domain and an account after `$JS.ACK`.
  const [, sequence, , nanoseconds, pending] = parts.slice(parts.length > 9 ? 6 : 4);
  const kept = {
    sequence: Number(sequence),
    subject: message.subject,
    at: millisecondsOf(nanoseconds),
    // The client keeps the buffer that it read into for as long as the bytes are used.
    data: message.data,
    size: Number(message.headers?.get("Nats-Msg-Size") || message.data.length),
  };
  return { kept, pending: Number(pending) };
}

/** Nanoseconds as JetStream writes them, in whole milliseconds, rounded down: as a number they would lose their last digits. */
export function millisecondsOf(nanoseconds = ""): number {
  return Number(nanoseconds.slice(0, -6));
}
