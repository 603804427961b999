import type { WantedStream } from "./nats-streams.ts";

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
  readonly cancel: string;
  /** Copies of messages that the channel still refers to though trimming removed them. */
  readonly copies: { readonly course: string; readonly status: string; readonly terminal: string };
}

export function subjectsOf(channel: string): ChannelSubjects {
  const token = subjectToken(channel);
  return {
    events: `telltale.log.events.${token}`,
    viewers: `telltale.log.viewers.${token}`,
    cancel: `telltale.log.cancels.${token}`,
    copies: {
      course: `telltale.log.copies.${token}.course`,
      status: `telltale.log.copies.${token}.status`,
      terminal: `telltale.log.copies.${token}.terminal`,
    },
  };
}

/** All subjects of the log. */
export const ALL_OF_LOG = "telltale.log.>";

/** The subject of the events of the channel that a subject of the log belongs to; undefined if it belongs to none. */
export function eventsSubjectBeside(subject: string): string | undefined {
  const token = subject.split(".")[3];
  return token === undefined ? undefined : `telltale.log.events.${token}`;
}

/** All subjects of copies of one channel. */
export function allCopiesOf(channel: string): string {
  return `telltale.log.copies.${subjectToken(channel)}.*`;
}

/** The subjects on which the events, the viewers and the requests to cancel of a channel are published again once they are stored. */
export function liveSubjects(channel: string): string {
  return `telltale.live.*.${subjectToken(channel)}`;
}

/** How long the stream knows the key of a request, at least: longer than a publisher may repeat it. */
export const KEYS_KNOWN_MS = 6 * 60_000;

/** The stream of all events, as it must be. It publishes again what it stored: a subject of its own also carries what it refuses. */
export const EVENTS: WantedStream = {
  name: EVENTS_STREAM,
  subjects: ["telltale.log.>"],
  keepsAnySize: true,
  duplicateWindowMs: KEYS_KNOWN_MS,
  republish: { src: "telltale.log.>", dest: "telltale.live.>" },
};

/** The stream of states: each subject keeps its last message only, and that for a day at most. */
export const STATE_STREAM = "TELLTALE_STATE";

export const STATE: WantedStream = {
  name: STATE_STREAM,
  subjects: ["telltale.state.>"],
  lastPerSubject: true,
  maxAgeMs: 24 * 3_600_000,
};

/** The stream of what must not expire: each subject keeps its last message only. */
export const RECORDS: WantedStream = {
  name: "TELLTALE_RECORDS",
  subjects: ["telltale.records.>"],
  lastPerSubject: true,
};

/** How far the workers' messages were taken. */
export const TAKEN_SUBJECT = "telltale.records.taken";

/** The line of history that a cluster is on. */
export const LINEAGE_SUBJECT = "telltale.records.lineage";

/** When the worker of a channel was last heard without storing anything. */
export function heardSubject(channel: string): string {
  return `telltale.state.heard.${subjectToken(channel)}`;
}

/** The gateway that moves entries from the inbox. */
export const LEASE_SUBJECT = "telltale.state.lease";

/** The subject of the trial appends of one gateway. */
export function trialSubject(gateway: string): string {
  return `telltale.log.trial.${gateway}`;
}
