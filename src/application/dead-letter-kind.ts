import { isAnalysisChannel, parseChannel, SYSTEM_CHANNEL } from "../domain/channel.ts";
import { INBOX } from "./ports/inbox-port.ts";

/** Where a dead letter came in; `foreign` where that was no channel of ours. Of each kind some are always kept. */
export const LETTER_KINDS = ["analysis", "user", "system", "inbox", "foreign"] as const;
export type DeadLetterKind = (typeof LETTER_KINDS)[number];

/** By the name of the channel, as it was published to. */
export function kindOfDeadLetter(name: string): DeadLetterKind {
  if (name === INBOX) return "inbox";
  const channel = parseChannel(name);
  if (channel === undefined) return "foreign";
  if (isAnalysisChannel(channel)) return "analysis";
  return channel === SYSTEM_CHANNEL ? "system" : "user";
}
