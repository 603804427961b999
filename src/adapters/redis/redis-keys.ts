import { createHash } from "node:crypto";
import type { OccurrenceKey, RequestKey } from "../../application/ports/deduplication-key.ts";
import { INBOX } from "../../application/ports/inbox-port.ts";
import { type ChannelName, isAnalysisChannel } from "../../domain/channel.ts";

/** The keys of one channel. They share a hash tag, so that a Cluster lets one script use them. */
interface ChannelKeys {
  readonly record: string;
  readonly history: string;
  readonly viewers: string;
}

export const DEAD_LETTERS_KEY = "telltale:deadletters";

/** The lease lies in the slot of the inbox, whose public name has no hash tag and is hashed as a whole. */
export const INBOX_LEASE_KEY = `telltale:{${INBOX}}:lease`;

/** The channel on which one gateway tries whether events can be stored. Nobody can name it, watch it or publish to it. */
export type TrialChannel = `try:${string}`;

export function keysOf(channel: ChannelName | TrialChannel): ChannelKeys {
  if (isTryChannel(channel)) {
    const record = `telltale:{${channel}}`;
    return { record, history: `${record}:tried`, viewers: `${record}:nobody` };
  }
  if (isAnalysisChannel(channel)) {
    const record = `telltale:{${channel}}`;
    return { record, history: `${record}:history`, viewers: `${record}:viewers` };
  }
  // The name comes last: a user id may hold anything, also text that would look like a part of a key after it.
  return {
    record: `${NOTICES}:${channel}`,
    history: `${NOTICES}:history:${channel}`,
    viewers: `${NOTICES}:viewers:${channel}`,
  };
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

/** The channel of the probes that one node's connection for watched channels must hear. */
export function probeChannelOfNode(db: number): string {
  return `telltale:${db}:hearing:${crypto.randomUUID()}`;
}

/** The two parts of a deduplication key. The script puts the channel's incarnation between them, except in scope `notices`. */
export function deduplicationKeyParts(
  channel: ChannelName | TrialChannel,
  key: RequestKey | OccurrenceKey,
): readonly [prefix: string, rest: string] {
  const scope = key.by === "key" && key.scope === "notices" ? NOTICES : keysOf(channel).record;
  const name = key.by === "key" ? `key:${digest(key.name)}` : `content:${key.occurrence.content}`;
  return [`${scope}:seen:`, name];
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
