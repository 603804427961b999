import type { StoredMessage } from "./event-stream.ts";
import { callApi } from "./nats-api.ts";
import type { NatsRequests } from "./nats-connection.ts";
import { isRefusal, REFUSED } from "./nats-errors.ts";

/**
 * Reads a message of a stream from the leader, because any other server may lag behind; undefined if there is none. `query`
 * is `{ seq }`, `{ last_by_subj }` or `{ seq, next_by_subj }`. Rejects as a call does.
 */
export async function keptMessage(
  link: NatsRequests,
  stream: string,
  query: object,
): Promise<StoredMessage | undefined> {
  try {
    const { message } = await callApi<LeaderAnswer>(link, `STREAM.MSG.GET.${stream}`, query);
    const text = new TextDecoder().decode(Uint8Array.fromBase64(message.data ?? ""));
    return { sequence: message.seq, subject: message.subject, at: Date.parse(message.time), text };
  } catch (error) {
    if (isRefusal(error, REFUSED.noMessageFound)) return undefined;
    throw error;
  }
}

interface LeaderAnswer {
  readonly message: {
    readonly seq: number;
    readonly subject: string;
    /** Base64; left out if it is empty. */
    readonly data?: string;
    /** RFC 3339. */
    readonly time: string;
  };
}
