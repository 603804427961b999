import { exceedsBytes } from "./utf8.ts";

/**
 * The channels of Telltale: a watcher watches one, and a worker publishes to one.
 * A channel's name is its identity everywhere, on the wire of the broker included.
 */
export type AnalysisId = string & { readonly __brand: "AnalysisId" };
export type AnalysisChannel = `analysis:${string}`;
type UserChannel = `user:${string}`;
type SystemChannel = "system:updates";
export type NoticeChannel = UserChannel | SystemChannel;
export type ChannelName = AnalysisChannel | NoticeChannel;

export const SYSTEM_CHANNEL: SystemChannel = "system:updates";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The id in lower case, or undefined if the text is no UUID. Any version and variant counts. */
export function parseAnalysisId(text: string): AnalysisId | undefined {
  return UUID.test(text) ? (text.toLowerCase() as AnalysisId) : undefined;
}

export function analysisChannel(id: AnalysisId): AnalysisChannel {
  return `analysis:${id}`;
}

/** Bytes of UTF-8 that the name of a user has at most. */
export const MAX_USER_ID_BYTES = 256;

/** Whether a text names a user, wherever it is written: not blank, whole characters, at most 256 bytes of UTF-8. */
export function isUserId(text: string): boolean {
  // Half a character has no bytes of its own: the names of several such users would be one channel.
  return text.trim() !== "" && text.isWellFormed() && !exceedsBytes(text, MAX_USER_ID_BYTES);
}

/** Only for a text of which `isUserId` is true. */
export function userChannel(userId: string): UserChannel {
  return `user:${userId}`;
}

/** The analysis a channel carries; only for names that `parseChannel` or `analysisChannel` made. */
export function analysisIdOf(channel: AnalysisChannel): AnalysisId {
  return channel.slice("analysis:".length) as AnalysisId;
}

export function isAnalysisChannel(channel: ChannelName): channel is AnalysisChannel {
  return channel.startsWith("analysis:");
}

/** Reads a channel name as a worker may have written it; undefined if it names no channel of ours. */
export function parseChannel(name: string): ChannelName | undefined {
  if (name === SYSTEM_CHANNEL) return SYSTEM_CHANNEL;
  if (name.startsWith("user:"))
    return isUserId(name.slice("user:".length)) ? (name as UserChannel) : undefined;
  if (!name.startsWith("analysis:")) return undefined;
  const id = parseAnalysisId(name.slice("analysis:".length));
  return id === undefined ? undefined : analysisChannel(id);
}
