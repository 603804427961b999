import { headers } from "@nats-io/transport-node";
import { answerOf } from "./nats-api.ts";
import type { NatsRequests } from "./nats-connection.ts";
import { isConflict } from "./nats-errors.ts";

export interface RivalsFound {
  /** Whether the stream took both: then two gateways may store events under one position. */
  readonly bothWereTaken: boolean;
  /** The sequence of the subject's last message. */
  readonly newest: number;
}

/**
 * Publishes two messages at once that each must follow the message at `last`, the last one of the subject. A stream should
 * take one of them; clusters of older servers take both, because they look at what is stored before they store the first.
 * Rejects as a request does.
 */
export async function publishRivals(link: NatsRequests, subject: string, last: number): Promise<RivalsFound> {
  const stored = await Promise.all([publishAfter(link, subject, last), publishAfter(link, subject, last)]);
  const taken = stored.filter((sequence) => sequence !== undefined);
  return { bothWereTaken: taken.length > 1, newest: Math.max(last, ...taken) };
}

/** Resolves with undefined if another message was quicker. */
async function publishAfter(link: NatsRequests, subject: string, last: number): Promise<number | undefined> {
  const head = headers();
  head.set("Nats-Expected-Last-Subject-Sequence", `${last}`);
  const { data } = await link.request(subject, "", { headers: head });
  try {
    return answerOf<{ readonly seq: number }>(data).seq;
  } catch (error) {
    if (isConflict(error)) return undefined;
    throw error;
  }
}
