import { MAX_USER_ID_BYTES } from "../domain/channel.ts";
import type { DecodeFailure } from "../domain/decode-event.ts";
import { METRICS } from "./ports/metric-catalogue.ts";
import type { LabelsOf } from "./ports/metric-names.ts";

/** Why an event is a dead letter. The first fault is enough: the dead letter holds the event itself. */
export function deadLetterReason({ reason, issues: [first] }: DecodeFailure): string {
  return first === undefined ? reason : `${reason}: ${first.path.join(".") || "event"}: ${first.message}`;
}

/** Why a worker published to a name that is no channel of ours. Never holds the name. */
export function channelFault(name: string): string {
  if (name.startsWith("analysis:")) return "an analysis id is a UUID";
  if (name.startsWith("user:"))
    return `a user id is text of 1 to ${MAX_USER_ID_BYTES} bytes that is not blank`;
  return "names no analysis or user";
}

/** The reason as a label of a metric: the code that it begins with, if the catalogue knows it. */
export function reasonLabel(reason: string): ReasonLabel {
  const code = reason.split(":")[0];
  return METRICS.telltale_dead_letters_total.labels.reason.find((label) => label === code) ?? "other";
}

type ReasonLabel = LabelsOf<"telltale_dead_letters_total">["reason"];
