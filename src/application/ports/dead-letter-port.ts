import type { ByteBudget } from "../../domain/byte-budget.ts";
import { isAnalysisChannel, parseChannel, SYSTEM_CHANNEL } from "../../domain/channel.ts";
import { firstBytes, shortened } from "../../domain/utf8.ts";
import type { BrokerTrouble } from "../broker-trouble.ts";
import { INBOX } from "./inbox-port.ts";

/**
 * The dead letters of a broker: messages that could not be stored as events, with the reason.
 *
 * docs/PROTOCOL.md has the rules in parentheses, and the contract suite of `telltale/testing` holds each of them.
 *
 * Failures: `BrokerUnavailable` if nothing was and will be done; `OutcomeUnknown` if nobody knows.
 */
export interface DeadLetterPort {
  /**
   * Why dead letters cannot be kept: the gateway's user lacked a permission for the last one, or the place for them has settings
   * that break a promise. Else undefined.
   */
  readonly trouble: BrokerTrouble | undefined;

  /**
   * Keeps a dead letter, once however many nodes report it (DLP-1, DLP-2).
   *
   * Its fields are cut as `keptFields` says (DLP-3, BUD-6). If there are more than `DEAD_LETTERS`, the oldest goes of the
   * kind that has the most (BUD-7).
   */
  keep(deadLetter: DeadLetter): Promise<void>;

  /**
   * Gives all of them from the oldest on, or from the newest (DLP-5).
   *
   * The adapter reads them a page at a time: it never holds more than `DEAD_LETTER_PAGE`. One that is kept or removed
   * meanwhile may or may not be among them.
   */
  read(from: "oldest" | "newest"): AsyncIterable<KeptDeadLetter>;

  /** Resolves with the dead letter of this id; undefined if there is none, or if the text is no id (DLP-6). */
  find(id: string): Promise<KeptDeadLetter | undefined>;

  /** Removes a dead letter, and resolves with whether there was one (DLP-7). Idempotent. */
  remove(id: string): Promise<boolean>;

  /** Closes the connections. Idempotent. */
  close(): Promise<void>;
}

/** A message as a gateway reports it. */
export interface DeadLetter {
  /** The channel that it was published to, as the worker wrote it, or `INBOX`. */
  readonly channel: string;
  readonly payload: string;
  /** A stable word, and what is wrong if more can be said. */
  readonly reason: string;
  /** Recognises the dead letter for an hour, in place of its content: the id of an inbox entry. */
  readonly name?: string;
  /** How long ago, in milliseconds, the same content may have been kept to be this dead letter. Default: a minute. */
  readonly windowMs?: number;
}

export interface KeptDeadLetter {
  /** An opaque text, which no other dead letter has had (DLP-6). */
  readonly id: string;
  readonly channel: string;
  /** Its first `DEAD_LETTER_BYTES`. */
  readonly payload: string;
  readonly reason: string;
  /** When a gateway kept it, ISO 8601. */
  readonly at: string;
}

/** The most that is kept. A kind that keeps to its fifth of it loses none, however many there are of another kind. */
export const DEAD_LETTERS: ByteBudget = { items: 10_000, bytes: 64 * 1024 * 1024 };
/** The most bytes of UTF-8 that are kept of a payload, cut between characters. */
export const DEAD_LETTER_BYTES = 64 * 1024;
/** The most that `read` holds at a time. */
export const DEAD_LETTER_PAGE: ByteBudget = { items: 100, bytes: 100 * (DEAD_LETTER_BYTES + 2 * 1024) };
/** The name of every channel of ours fits. */
const CHANNEL_BYTES = 512;
const REASON_BYTES = 1024;

/** The fields of a dead letter as they are kept: the payload cut between characters, the others so that they show it. */
export function keptFields({
  channel,
  payload,
  reason,
}: DeadLetter): Pick<KeptDeadLetter, "channel" | "payload" | "reason"> {
  return {
    channel: shortened(channel, CHANNEL_BYTES),
    payload: firstBytes(payload, DEAD_LETTER_BYTES),
    reason: shortened(reason, REASON_BYTES),
  };
}

/** The kinds of dead letters, by where they came in; `foreign` if that was no channel of ours. */
export const DEAD_LETTER_KINDS = ["analysis", "user", "system", "inbox", "foreign"] as const;
export type DeadLetterKind = (typeof DEAD_LETTER_KINDS)[number];

/** The kind of a dead letter by the name of its channel, before that was cut. */
export function kindOfDeadLetter(name: string): DeadLetterKind {
  if (name === INBOX) return "inbox";
  const channel = parseChannel(name);
  if (channel === undefined) return "foreign";
  if (isAnalysisChannel(channel)) return "analysis";
  return channel === SYSTEM_CHANNEL ? "system" : "user";
}

/** For how long a content is recognised: as long as a node may report late what others reported before. */
const CONTENT_WINDOW_MS = 60_000;
const CONTENT_REMEMBERED_MS = 180_000;
const NAME_REMEMBERED_MS = 3_600_000;

/** How the broker recognises a dead letter: by `text`, within `windowMs` of its keeping. It forgets it after `rememberMs`. */
export interface DeadLetterIdentity {
  readonly text: string;
  readonly windowMs: number;
  readonly rememberMs: number;
}

export function identityOf({ channel, payload, name, windowMs }: DeadLetter): DeadLetterIdentity {
  if (name !== undefined) {
    return { text: `name ${name}`, windowMs: NAME_REMEMBERED_MS, rememberMs: NAME_REMEMBERED_MS };
  }
  return {
    text: `content ${channel}\n${payload}`,
    windowMs: windowMs ?? CONTENT_WINDOW_MS,
    rememberMs: CONTENT_REMEMBERED_MS,
  };
}
