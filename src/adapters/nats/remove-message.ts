import { callApi } from "./nats-api.ts";
import type { NatsRequests, NatsServer } from "./nats-connection.ts";
import { isRefusal, REFUSED } from "./nats-errors.ts";

/**
 * Removes one message of a stream, and resolves with whether there was one. Rejects as a call does. With `erase` the server
 * overwrites the message before it answers.
 */
export async function removeMessage(
  link: NatsRequests,
  stream: string,
  sequence: number,
  { erase = false } = {},
): Promise<boolean> {
  try {
    await callApi(link, `STREAM.MSG.DELETE.${stream}`, { seq: sequence, no_erase: !erase });
    return true;
  } catch (error) {
    // Other failures of a removal have the same number.
    const isGone = isRefusal(error, REFUSED.deleteFailed) && /no message found|deleted/.test(String(error));
    if (!isGone && !isRefusal(error, REFUSED.sequenceNotFound)) throw error;
    return false;
  }
}

/**
 * Whether a server may have a message again that it removed, if it is killed some seconds later. One before 2.10 may, unless
 * it erases the message. A newer one notes each removal at once, and erasing costs it a copy of megabytes.
 */
export function notesRemovalsLate(server: NatsServer | undefined): boolean {
  const [major = 0, minor = 0] = (server?.version ?? "").split(".").map(Number);
  return major < 2 || (major === 2 && minor < 10);
}
