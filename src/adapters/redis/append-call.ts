import type { DeduplicationKey, OccurrenceKey } from "../../application/ports/deduplication-key.ts";
import type { AppendOutcome, AppendRequest, AttemptRefusal } from "../../application/ports/pub-sub-port.ts";
import type { ChannelName } from "../../domain/channel.ts";
import { seenKey, type TryChannel } from "./redis-keys.ts";
import { flagOf } from "./stored-format.ts";

/** The part of append-events.lua's arguments that is about the requests. */
export function requestArguments(
  channel: ChannelName | TryChannel,
  requests: readonly Pick<AppendRequest, "events" | "deduplicate">[],
): string[] {
  const args: string[] = [];
  for (const { deduplicate, events } of requests) {
    args.push(...keyArguments(channel, deduplicate), `${events.length}`);
    for (const { kind, stage, timestamp, attemptId, members } of events) {
      args.push(flagOf(kind), stage ?? "", timestamp, attemptId ?? "", members);
    }
  }
  return args;
}

/** One answer of append-events.lua to one request. */
export function outcomeOf(answer: unknown): AppendOutcome {
  const [type, a, b, c] = answer as readonly unknown[];
  switch (type) {
    case "STORED":
      return { type: "stored", epoch: String(a), firstOffset: Number(b), count: Number(c) };
    case "DUPLICATE":
      return { type: "duplicate", epoch: String(a), firstOffset: Number(b), count: Number(c) };
    case "REFUSED":
      return { type: "refused", code: a as AttemptRefusal, index: Number(b) };
    default:
      throw new Error(`the append script answered ${String(type)}`);
  }
}

function keyArguments(channel: ChannelName | TryChannel, key: DeduplicationKey | undefined): string[] {
  if (key === undefined) return ["", "", "", "0", "0"];
  if (key.by === "entry") return ["entry", "", key.id, "0", "0"];
  const parts = seenKey(channel, key);
  if (key.by === "key") return [key.scope, ...parts, `${key.windowMs}`, `${key.rememberMs}`];
  const { stretch, number } = key.occurrence;
  // As the script looks for it: what it finds at once it need not take apart.
  return [heardText(key), ...parts, `\n${stretch} `, `${number}`];
}

function heardText({ occurrence, reachMs, ageMs, retryMs, rememberMs }: OccurrenceKey): string {
  const times = [Math.ceil(reachMs), Math.floor(ageMs), Math.ceil(retryMs), rememberMs];
  return ["content", occurrence.before, occurrence.listener, ...times].join(" ");
}
