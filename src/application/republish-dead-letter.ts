import { type ChannelName, parseChannel } from "../domain/channel.ts";
import {
  type DecodeContext,
  type DecodeResult,
  decodeAddressedEvent,
  decodeEvent,
} from "../domain/decode-event.ts";
import { EVENT_RULES, type EventRules } from "../domain/event-rules.ts";
import { exceedsBytes } from "../domain/utf8.ts";
import { appendWorkerEvent } from "./append-worker-event.ts";
import { channelFault, deadLetterReason } from "./dead-letter-reason.ts";
import { DEAD_LETTER_BYTES, type DeadLetterPort, type KeptDeadLetter } from "./ports/dead-letter-port.ts";
import { INBOX } from "./ports/inbox-port.ts";
import type { AppendRequest, PubSubPort } from "./ports/pub-sub-port.ts";

/** Longer than an operator waits before running it again. */
const REMEMBERED_MS = 24 * 3_600_000;
/** A cut lies between characters, of which the longest has four bytes. */
const LONGEST_CHARACTER = 4;

type Republished =
  | { readonly type: "stored" }
  /** It stays a dead letter. */
  | { readonly type: "kept"; readonly reason: string };

/** Turns a dead letter into the event that it should have been, once the rules or the broker allow it. */
export class RepublishDeadLetter {
  readonly #deadLetters: Pick<DeadLetterPort, "remove">;
  readonly #pubSub: PubSubPort;
  readonly #rules: EventRules;

  constructor(deadLetters: Pick<DeadLetterPort, "remove">, pubSub: PubSubPort, rules = EVENT_RULES) {
    this.#rules = rules;
    this.#deadLetters = deadLetters;
    this.#pubSub = pubSub;
  }

  /** Stores it once within a day, however often it is called, and then removes it. Rejects as `append` does. */
  async execute(deadLetter: KeptDeadLetter): Promise<Republished> {
    const read = requestOf(deadLetter, this.#rules);
    if (typeof read === "string") return { type: "kept", reason: read };
    const outcome = await appendWorkerEvent(this.#pubSub, read);
    if (typeof outcome === "string") return { type: "kept", reason: outcome };
    await this.#deadLetters.remove(deadLetter.id);
    return { type: "stored" };
  }
}

/** The request that stores it, or why there can be none. */
function requestOf(
  { id, channel: name, payload, at }: KeptDeadLetter,
  rules: EventRules,
): AppendRequest | string {
  const now = Date.parse(at);
  if (Number.isNaN(now)) return "at: is no time";
  const taken = { now, rules };
  const read = name === INBOX ? decodeAddressedEvent(payload, taken) : decodeFor(name, payload, taken);
  if (!read.ok) return wasCut(payload) ? CUT : deadLetterReason(read);
  if (read.channel === undefined) return "channel: names no analysis or user";
  // No key that comes over HTTP holds a line break.
  const deduplicate = {
    by: "key",
    name: `dead letter\n${id}`,
    scope: "channel",
    windowMs: REMEMBERED_MS,
    rememberMs: REMEMBERED_MS,
  } as const;
  return { channel: read.channel, events: [read.encoded], deduplicate };
}

function decodeFor(
  name: string,
  payload: string,
  taken: Omit<DecodeContext, "channel">,
): DecodeResult & { readonly channel?: ChannelName } {
  const channel = parseChannel(name);
  if (channel === undefined) {
    return {
      ok: false,
      reason: "invalid",
      issues: [{ path: ["channel"], message: channelFault(name) }],
    };
  }
  return { ...decodeEvent(payload, { ...taken, channel }), channel };
}

const CUT = "only its first 64 KiB were kept: it cannot be published again";

function wasCut(payload: string): boolean {
  return exceedsBytes(payload, DEAD_LETTER_BYTES - LONGEST_CHARACTER);
}
