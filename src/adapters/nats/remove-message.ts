import { callApi } from "./nats-api.ts";
import type { NatsRequests } from "./nats-connection.ts";
import { isRefusal, REFUSED } from "./nats-errors.ts";

/** Removes one message of a stream, and resolves with whether there was one. Rejects as a call does. */
export async function removeMessage(link: NatsRequests, stream: string, sequence: number): Promise<boolean> {
  try {
    await callApi(link, `STREAM.MSG.DELETE.${stream}`, { seq: sequence, no_erase: true });
    return true;
  } catch (error) {
    // Other failures of a removal have the same number.
    const isGone = isRefusal(error, REFUSED.deleteFailed) && /no message found|deleted/.test(String(error));
    if (!isGone && !isRefusal(error, REFUSED.sequenceNotFound)) throw error;
    return false;
  }
}
