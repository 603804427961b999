import type { DeduplicationKey, OccurrenceKey } from "../../application/ports/deduplication-key.ts";
import type {
  AppendOutcome,
  AppendRequest,
  AttemptRefusal,
  WorkerAnswer,
} from "../../application/ports/pub-sub-port.ts";
import type { ChannelName } from "../../domain/channel.ts";
import { deduplicationKey, type TrialChannel } from "./redis-keys.ts";
import { flagOf } from "./stored-format.ts";

/** One call of the append script. */
export interface AppendScriptCall {
  readonly channel: ChannelName | TrialChannel;
  readonly requests: readonly Pick<AppendRequest, "events" | "deduplicate">[];
  /** Whether a publisher is answered for it, so that replicas must have it too. */
  readonly acknowledged: boolean;
  /** When the first of its appends was called, on `performance`'s clock. */
  readonly calledAt: number;
  readonly limits: HistoryLimits;
}

export interface HistoryLimits {
  readonly size: number;
  readonly ttlMs: number;
}

/** The arguments of append-events.lua that are about the requests. It adds their deduplication keys to `keys`. */
export function requestArguments(
  channel: ChannelName | TrialChannel,
  requests: readonly Pick<AppendRequest, "events" | "deduplicate">[],
  keys: string[],
): string[] {
  const args: string[] = [];
  for (const { deduplicate, events } of requests) {
    args.push(...keyArguments(channel, deduplicate, keys), `${events.length}`);
    for (const { kind, stage, timestamp, attemptId, members } of events) {
      args.push(flagOf(kind), stage ?? "", timestamp, attemptId ?? "", members);
    }
  }
  return args;
}

/** Reads an answer of append-events.lua to one request. */
export function outcomeOf(answer: unknown, worker: WorkerAnswer): AppendOutcome {
  const [type, a, b, c] = answer as readonly unknown[];
  const place = { epoch: String(a), firstOffset: Number(b), count: Number(c), ...worker };
  switch (type) {
    case "STORED":
      return { type: "stored", ...place };
    case "DUPLICATE":
      return { type: "duplicate", ...place };
    case "REFUSED":
      return { type: "refused", code: a as AttemptRefusal, index: Number(b) };
    default:
      throw new Error(`the append script answered ${String(type)}`);
  }
}

function keyArguments(
  channel: ChannelName | TrialChannel,
  key: DeduplicationKey | undefined,
  keys: string[],
): string[] {
  if (key === undefined) return ["", "", "0", "0"];
  if (key.by === "entry") {
    const { id, named } = key;
    if (named === undefined) return ["entry", id, "0", "0"];
    const at = keys.push(deduplicationKey(channel, named));
    return ["entry", id, `${at} ${named.windowMs}`, `${named.rememberMs}`];
  }
  const place = `${keys.push(deduplicationKey(channel, key))}`;
  if (key.by === "key") return [key.scope, place, `${key.windowMs}`, `${key.rememberMs}`];
  const { stretch, number } = key.occurrence;
  // In the form in which the script looks for it: an occurrence that it finds at once it need not take apart.
  return [heardText(key), place, `\n${stretch} `, `${number}`];
}

function heardText({ occurrence, reachMs, ageMs, retryMs, rememberMs }: OccurrenceKey): string {
  const times = [Math.ceil(reachMs), Math.floor(ageMs), Math.ceil(retryMs), rememberMs];
  return ["content", occurrence.before, occurrence.listener, ...times].join(" ");
}
