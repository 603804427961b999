import { createHash } from "node:crypto";
import type { OccurrenceKey, RequestKey } from "../../application/ports/deduplication-key.ts";
import { INBOX } from "../../application/ports/inbox-port.ts";
import { analysisIdOf, type ChannelName, isAnalysisChannel } from "../../domain/channel.ts";
import { type SlotRange, tagIn } from "./cluster-slots.ts";

/** The keys of one channel. They share a hash tag, so that a Cluster lets one script use them. */
interface ChannelKeys {
  readonly record: string;
  readonly history: string;
  readonly viewers: string;
  readonly cancel: string;
}

export const DEAD_LETTERS_KEY = "telltale:deadletters";

/** The lease lies in the slot of the inbox, whose public name has no hash tag and is hashed as a whole. */
export const INBOX_LEASE_KEY = `telltale:{${INBOX}}:lease`;

/** Says which inbox this is if one before it had used up its ids: milliseconds since 1970. It lies in the slot of the inbox. */
export const INBOX_INCARNATION_KEY = `telltale:{${INBOX}}:incarnation`;

/** The channel on which one gateway tries whether events can be stored. Nobody can name it, watch it or publish to it. */
export type TrialChannel = `try:${string}`;

export function keysOf(channel: ChannelName | TrialChannel): ChannelKeys {
  if (isTryChannel(channel)) {
    const record = `telltale:{${channel}}`;
    return { record, history: `${record}:tried`, viewers: `${record}:nobody`, cancel: `${record}:cancel` };
  }
  if (isAnalysisChannel(channel)) {
    const record = `telltale:{${channel}}`;
    return { record, history: `${record}:history`, viewers: `${record}:viewers`, cancel: `${record}:cancel` };
  }
  // The name comes last: a user id may hold anything, also text that would look like a part of a key after it.
  return {
    record: `${NOTICES}:${channel}`,
    history: `${NOTICES}:history:${channel}`,
    viewers: `${NOTICES}:viewers:${channel}`,
    cancel: `${NOTICES}:cancel:${channel}`,
  };
}

/** The key at which a worker with Redis alone finds a request to cancel its analysis; undefined for other channels. */
export function cancelCopyKey(channel: ChannelName | TrialChannel): string | undefined {
  if (isTryChannel(channel) || !isAnalysisChannel(channel)) return undefined;
  return `telltale:cancel:${analysisIdOf(channel)}`;
}

/** The channel that subscribers of `channel` hear. It has the number of the database, for Redis does not keep apart
 * the channels of its databases: deployments in two of them must not hear each other. */
export function publishedOn(channel: ChannelName | TrialChannel, db: number): string {
  if (isTryChannel(channel)) return `telltale:${db}:{${channel}}`;
  return isAnalysisChannel(channel) ? `telltale:${db}:{${channel}}` : `telltale:${db}:{notices}:${channel}`;
}

/** The channel of the probes of all gateways that listen to workers: by it they know of each other. */
export function listenersChannel(db: number): string {
  return `telltale:${db}:listening`;
}

/** The channel of the probes that one node's connection for watched channels must hear. It lies in one of the slots. */
export function probeChannelOfNode(db: number, slots: readonly SlotRange[]): string {
  return `telltale:${db}:hearing:{${tagIn(slots, (random) => random)}}`;
}

/** The deduplication key of a request to a channel, in the slot of the channel. */
export function deduplicationKey(
  channel: ChannelName | TrialChannel,
  key: RequestKey | OccurrenceKey,
): string {
  const scope = key.by === "key" && key.scope === "notices" ? NOTICES : keysOf(channel).record;
  const name = key.by === "key" ? `key:${digest(key.name)}` : `content:${key.occurrence.content}`;
  return `${scope}:seen:${name}`;
}

/** The key lies in the slot of the stream, whose name has no hash tag and is hashed as a whole. */
export function deadLetterIdentityKey(name: string): string {
  return `telltale:{${DEAD_LETTERS_KEY}}:seen:${digest(name)}`;
}

/** The bookkeeping of dead letters, in the slot of their stream: bytes of each kind, and a stream of ids for each kind. */
export function deadLetterIndexKeys(kinds: readonly string[]): string[] {
  return ["bytes", ...kinds].map((name) => `telltale:{${DEAD_LETTERS_KEY}}:${name}`);
}

function isTryChannel(channel: ChannelName | TrialChannel): channel is TrialChannel {
  return channel.startsWith("try:");
}

const NOTICES = "telltale:{notices}";

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
