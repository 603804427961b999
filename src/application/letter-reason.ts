import type { DecodeFailure } from "../domain/decode-event.ts";

/** Why a dead letter is one. The first fault is enough: the letter has the event itself. */
export function letterReason({ reason, issues: [first] }: DecodeFailure): string {
  return first === undefined ? reason : `${reason}: ${first.path.join(".") || "event"}: ${first.message}`;
}
