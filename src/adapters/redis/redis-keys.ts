import { createHash } from "node:crypto";
import type { SeenByContent, SeenByKey } from "../../application/ports/pub-sub-port.ts";
import { type ChannelName, isAnalysisChannel } from "../../domain/channel.ts";

/** Where Redis keeps a channel. All keys of one channel share a hash tag, so that one script may use them. */
export interface ChannelKeys {
  readonly record: string;
  readonly history: string;
  readonly viewers: string;
}

export const DEAD_LETTERS_KEY = "telltale:deadletters";

/** Where one gateway tries whether events can be stored: nobody can name it, watch it or publish to it. */
export type TryChannel = `try:${string}`;

export function keysOf(channel: ChannelName | TryChannel): ChannelKeys {
  if (isTryChannel(channel)) {
    const record = `telltale:{${channel}}`;
    return { record, history: `${record}:tried`, viewers: `${record}:nobody` };
  }
  if (isAnalysisChannel(channel)) {
    const record = `telltale:{${channel}}`;
    return { record, history: `${record}:history`, viewers: `${record}:viewers` };
  }
  // The name comes last: a user id may hold anything, also what would look like a part of a key after it.
  return {
    record: `${NOTICES}:${channel}`,
    history: `${NOTICES}:history:${channel}`,
    viewers: `${NOTICES}:viewers:${channel}`,
  };
}

/** Redis channels know no databases: two deployments in two of them must not hear each other. */
export function publishedOn(channel: ChannelName | TryChannel, db: number): string {
  if (isTryChannel(channel)) return `telltale:${db}:{${channel}}`;
  return isAnalysisChannel(channel) ? `telltale:${db}:{${channel}}` : `telltale:${db}:{notices}:${channel}`;
}

/** Where every gateway that listens to workers publishes its probes, so that they know of each other. */
export function listeningChannel(db: number): string {
  return `telltale:${db}:listening`;
}

/** Where one node publishes the probes that its connection for watched channels must hear. */
export function hearingChannel(db: number): string {
  return `telltale:${db}:hearing:${crypto.randomUUID()}`;
}

/** The two parts of the key that remembers a request; but for scope `notices` the script puts the channel's birth between. */
export function seenKey(
  channel: ChannelName | TryChannel,
  seen: SeenByKey | SeenByContent,
): readonly [prefix: string, rest: string] {
  const scope = seen.lane === "key" && seen.scope === "notices" ? NOTICES : keysOf(channel).record;
  const name = seen.lane === "key" ? `key:${digest(seen.name)}` : `content:${seen.occurrence.content}`;
  return [`${scope}:seen:`, name];
}

/** In the slot of the stream: the name of that is fixed and has no hash tag. */
export function seenDeadLetterKey(name: string): string {
  return `telltale:{${DEAD_LETTERS_KEY}}:seen:${digest(name)}`;
}

/** What is known of the kinds of dead letters: how many bytes each has, and a stream of ids for each kind. */
export function deadLetterBooks(kinds: readonly string[]): string[] {
  return ["bytes", ...kinds].map((name) => `telltale:{${DEAD_LETTERS_KEY}}:${name}`);
}

function isTryChannel(channel: ChannelName | TryChannel): channel is TryChannel {
  return channel.startsWith("try:");
}

const NOTICES = "telltale:{notices}";

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
