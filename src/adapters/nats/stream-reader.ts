import { createInbox, type Msg } from "@nats-io/transport-node";
import { BrokerUnavailable } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { ByteBudget } from "../../domain/byte-budget.ts";
import { type DeliveredPlace, placeOf } from "./delivered-message.ts";
import { callApi } from "./nats-api.ts";
import type { NatsLink } from "./nats-link.ts";

export interface ReaderTerms {
  /** The first sequence. */
  readonly from: number;
  /** Only its messages are read. Default: all. */
  readonly subject?: string;
  /** Whether the data of the messages is left out. */
  readonly headersOnly?: boolean;
}

/** A reader that a server has made: it acknowledges nothing, and ends with its server. */
export interface StreamReader {
  readonly stream: string;
  readonly name: string;
  /** The broker's clock when it was made, in milliseconds since 1970. */
  readonly createdAt: number;
  /** The messages that it will give. */
  readonly pending: number;
}

/** A reader waits for no more than this for the next message. */
const READ_MS = 2_000;
/** Without a word from its reader for so long the broker forgets where it was. */
const READER_GONE_MS = 5_000;

/** Makes a reader of a stream, and drops it when `use` has settled. Settles as `use` does, and rejects as a call does. */
export async function withReader<Answer>(
  link: NatsLink,
  stream: string,
  { from, subject, headersOnly = false }: ReaderTerms,
  use: (reader: StreamReader) => Promise<Answer>,
): Promise<Answer> {
  const { name, created, num_pending } = await callApi<CreatedReader>(link, `CONSUMER.CREATE.${stream}`, {
    stream_name: stream,
    config: {
      ack_policy: "none",
      deliver_policy: "by_start_sequence",
      opt_start_seq: Math.max(1, from),
      ...(subject !== undefined && { filter_subject: subject }),
      headers_only: headersOnly,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: READER_GONE_MS * 1_000_000,
    },
  });
  try {
    return await use({ stream, name, createdAt: Date.parse(created), pending: num_pending });
  } finally {
    // If nobody hears it, the broker removes the reader by itself.
    if (link.away === undefined) link.publish(`$JS.API.CONSUMER.DELETE.${stream}.${name}`, "");
  }
}

/**
 * Hands over the next messages of a reader, in order: as many as the budget holds, and one more message's bytes at most, or
 * fewer if `take` answers false. Resolves with whether more may follow. Rejects with what `take` throws, and as a request does.
 */
export async function pull(
  link: NatsLink,
  timers: ClockPort,
  { stream, name }: StreamReader,
  { items, bytes }: ByteBudget,
  take: (message: Msg, place: DeliveredPlace) => boolean,
): Promise<boolean> {
  const inbox = createInbox();
  const end = Promise.withResolvers<boolean>();
  let taken = 0;
  let isOver = false;
  let cancel = () => {};
  const waitAgain = () => {
    cancel();
    cancel = timers.after(READ_MS, () =>
      end.reject(new BrokerUnavailable("NATS did not go on", { trouble: { cause: "silent" } })),
    );
  };
  const finish = (more: boolean) => {
    isOver = true;
    end.resolve(more);
  };
  const subscription = link.subscribe(inbox, (error, message) => {
    if (isOver) return;
    if (error !== null) return end.reject(error);
    // JetStream answers on this subject itself that there are no more, or that the next one is too large.
    if (message.subject === inbox) return finish(taken > 0 && message.headers?.code !== NO_MESSAGES);
    waitAgain();
    try {
      const place = placeOf(message);
      if (!take(message, place) || place.pending === 0) finish(false);
      else if (++taken === items) finish(true);
    } catch (thrown) {
      isOver = true;
      end.reject(thrown);
    }
  });
  waitAgain();
  try {
    const largest = link.server?.mostBytes ?? 0;
    const request = JSON.stringify({ batch: items, max_bytes: bytes + largest, no_wait: true });
    link.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, request, inbox);
    return await end.promise;
  } finally {
    cancel();
    subscription.unsubscribe();
  }
}

const NO_MESSAGES = 404;

interface CreatedReader {
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  readonly num_pending: number;
}
