/**
 * Writes any text as one part of a subject, so that it can be read back. Letters, digits and `_ - : @` stay; every other
 * byte of its UTF-8 becomes `=` and two hexadecimal digits.
 */
export function subjectToken(text: string): string {
  // Most names need nothing else.
  if (PLAIN.test(text)) return text;
  let token = "";
  for (const byte of encoder.encode(text)) {
    const character = String.fromCharCode(byte);
    token += PLAIN.test(character) ? character : `=${byte.toString(16).padStart(2, "0")}`;
  }
  return token;
}

/** Reads what `subjectToken` wrote; undefined if it wrote no such thing. */
export function textOfToken(token: string): string | undefined {
  try {
    const text = decodeURIComponent(token.replaceAll("=", "%"));
    return subjectToken(text) === token ? text : undefined;
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

const PLAIN = /^[A-Za-z0-9_:@-]+$/;
const encoder = new TextEncoder();

/** The stream of all events, with the subjects of one channel. */
export const EVENTS_STREAM = "TELLTALE_EVENTS";

/** The subjects that one channel has in the stream of events. */
export interface ChannelSubjects {
  readonly events: string;
  readonly viewers: string;
  /** The last status and the current terminal event, if trimming removed them from the events. */
  readonly copies: { readonly status: string; readonly terminal: string };
}

export function subjectsOf(channel: string): ChannelSubjects {
  const token = subjectToken(channel);
  return {
    events: `telltale.log.events.${token}`,
    viewers: `telltale.log.viewers.${token}`,
    copies: {
      status: `telltale.log.copies.${token}.status`,
      terminal: `telltale.log.copies.${token}.terminal`,
    },
  };
}

/** The subject on which a stored message is published again. */
export function liveSubject(subject: string): string {
  return subject.replace("telltale.log.", "telltale.live.");
}

/** Stored messages of the first are published again on the second. */
export const REPUBLISHED = { src: "telltale.log.>", dest: "telltale.live.>" } as const;

/** The stream of states: each subject keeps its last message only, and that for a day at most. */
export const STATE_STREAM = "TELLTALE_STATE";

/** When the worker of a channel was last heard without storing anything. */
export function heardSubject(channel: string): string {
  return `telltale.state.heard.${subjectToken(channel)}`;
}

/** The gateway that moves entries from the inbox. */
export const LEASE_SUBJECT = "telltale.state.lease";
