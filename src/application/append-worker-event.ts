import { tooLarge } from "../domain/decode-event.ts";
import { deadLetterReason } from "./dead-letter-reason.ts";
import { RequestTooLarge } from "./errors.ts";
import type { AppendOutcome, AppendRequest, PubSubPort } from "./ports/pub-sub-port.ts";

/**
 * Appends an event to which nobody waits for an answer. Resolves with the reason, as a text, if the broker will never take
 * it: the message is then a dead letter. Rejects as `append` does if another try may store it.
 */
export async function appendWorkerEvent(
  pubSub: Pick<PubSubPort, "append">,
  request: AppendRequest,
): Promise<Exclude<AppendOutcome, { readonly type: "refused" }> | string> {
  try {
    const outcome = await pubSub.append(request);
    return outcome.type === "refused" ? outcome.code : outcome;
  } catch (error) {
    if (error instanceof RequestTooLarge) return deadLetterReason(tooLarge(error.mostBytes));
    throw error;
  }
}
