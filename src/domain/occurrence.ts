/**
 * One PUBLISH among all of the same bytes on the same channel, as a gateway that heard it names it.
 *
 * Now and then a mark goes through the broker's stream, which every gateway that listens hears at the same place. From
 * it on they count alike: `stretch` and `number` name the same message on each of them, and another one on none. A
 * connection counts the messages before its first mark by itself.
 */
export interface Occurrence {
  /** Names the bytes. */
  readonly content: string;
  /** `server.time.name` if shared: where and when the mark was published; else `~listener.count`. */
  readonly stretch: string;
  /** The connection that heard it. */
  readonly listener: string;
  /** How many times it heard this content on this channel in this stretch, this time included. */
  readonly number: number;
  /** The content that it heard directly before on this channel: the same, another, or it does not know. */
  readonly before: "same" | "other" | "unknown";
  /** If the stretch is not shared, nothing in it was published earlier than this, by the node's clock. */
  readonly since?: number;
}

/** An occurrence as a gateway appends it. All times are in milliseconds. */
export interface AppendedOccurrence {
  readonly occurrence: Occurrence;
  /** How long ago it may have been published at most, counted from now to the time that the broker looks at it. */
  readonly reachMs: number;
  /** How long ago it was published at least. */
  readonly ageMs: number;
  /** How long ago the event that it repeats may have been stored to make it a retry. */
  readonly retryMs: number;
  /** How long it is remembered. */
  readonly rememberMs: number;
}

/** The name of a stretch that one connection counts by itself begins so. */
export const OWN = "~";

export function isOwn(stretch: string): boolean {
  return stretch.startsWith(OWN);
}

export function isShared({ stretch }: Occurrence): boolean {
  return !isOwn(stretch);
}

/**
 * Whether a gateway that names a message as `occurrence` does would name every message of `stretch` so as well: then
 * another name is another message.
 */
export function sharesNames(occurrence: Occurrence, stretch: string): boolean {
  if (isOwn(stretch)) return stretch.startsWith(`${OWN}${occurrence.listener}.`);
  return serverOf(stretch) === serverOf(occurrence.stretch);
}

/** Whether one shared stretch began after another, on the same server. */
export function isLater(stretch: string, than: string): boolean {
  return !isOwn(stretch) && serverOf(stretch) === serverOf(than) && timeOf(stretch) > timeOf(than);
}

function serverOf(stretch: string): string {
  return stretch.slice(0, stretch.indexOf("."));
}

function timeOf(stretch: string): number {
  return Number(stretch.split(".")[1]);
}
