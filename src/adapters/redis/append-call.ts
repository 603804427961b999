import type {
  AppendOutcome,
  AppendRequest,
  AttemptRefusal,
  DeduplicationKey,
  SeenByContent,
} from "../../application/ports/pub-sub-port.ts";
import type { ChannelName } from "../../domain/channel.ts";
import { seenKey, type TryChannel } from "./redis-keys.ts";
import { flagOf } from "./redis-messages.ts";

/** The part of append-events.lua's arguments that is about the requests. */
export function requestArguments(
  channel: ChannelName | TryChannel,
  requests: readonly Pick<AppendRequest, "events" | "seen">[],
): string[] {
  const args: string[] = [];
  for (const { seen, events } of requests) {
    args.push(...seenArguments(channel, seen), `${events.length}`);
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

function seenArguments(channel: ChannelName | TryChannel, seen: DeduplicationKey | undefined): string[] {
  if (seen === undefined) return ["", "", "", "0", "0"];
  if (seen.lane === "entry") return ["entry", "", seen.id, "0", "0"];
  const key = seenKey(channel, seen);
  if (seen.lane === "key") return [seen.scope, ...key, `${seen.windowMs}`, `${seen.rememberMs}`];
  const { stretch, number } = seen.occurrence;
  // As the script looks for it: what it finds at once it need not take apart.
  return [heardText(seen), ...key, `\n${stretch} `, `${number}`];
}

function heardText({ occurrence, reachMs, ageMs, retryMs, rememberMs }: SeenByContent): string {
  const times = [Math.ceil(reachMs), Math.floor(ageMs), Math.ceil(retryMs), rememberMs];
  return ["content", occurrence.before, occurrence.listener, ...times].join(" ");
}
