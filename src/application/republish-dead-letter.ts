import { type ChannelName, parseChannel } from "../domain/channel.ts";
import { type DecodeResult, decodeAddressedEvent, decodeEvent } from "../domain/decode-event.ts";
import { exceedsBytes } from "../domain/utf8.ts";
import { channelFault, deadLetterReason } from "./dead-letter-reason.ts";
import { DEAD_LETTER_BYTES, type DeadLetterPort, type KeptDeadLetter } from "./ports/dead-letter-port.ts";
import { INBOX } from "./ports/inbox-port.ts";
import type { AppendRequest, PubSubPort } from "./ports/pub-sub-port.ts";

/** Longer than anybody waits before running it again. */
const REMEMBERED_MS = 24 * 3_600_000;
/** A cut lies between characters, of which the longest has four bytes. */
const LONGEST_CHARACTER = 4;

export type Republished =
  | { readonly type: "stored" }
  /** It stays a dead letter. */
  | { readonly type: "kept"; readonly reason: string };

/** Once what kept it from being delivered is mended, a dead letter becomes the event that it should have been. */
export class RepublishDeadLetter {
  readonly #letters: Pick<DeadLetterPort, "remove">;
  readonly #pubSub: PubSubPort;

  constructor(letters: Pick<DeadLetterPort, "remove">, pubSub: PubSubPort) {
    this.#letters = letters;
    this.#pubSub = pubSub;
  }

  /** Stores it once within a day, however often it is called, and removes it then. Rejects as `append` does. */
  async execute(letter: KeptDeadLetter): Promise<Republished> {
    const read = readLetter(letter);
    if (typeof read === "string") return { type: "kept", reason: read };
    const outcome = await this.#pubSub.append(read);
    if (outcome.type === "refused") return { type: "kept", reason: outcome.code };
    await this.#letters.remove(letter.id);
    return { type: "stored" };
  }
}

/** The append it takes, or why there can be none. */
function readLetter({ id, channel: name, payload, at }: KeptDeadLetter): AppendRequest | string {
  const now = Date.parse(at);
  if (Number.isNaN(now)) return "at: is no time";
  const read = name === INBOX ? decodeAddressedEvent(payload, now) : decodeFor(name, payload, now);
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
  now: number,
): DecodeResult & { readonly channel?: ChannelName } {
  const channel = parseChannel(name);
  if (channel === undefined) {
    return {
      ok: false,
      reason: "invalid",
      issues: [{ path: ["channel"], message: channelFault(name) }],
    };
  }
  return { ...decodeEvent(payload, { channel, now }), channel };
}

const CUT = "only its first 64 KiB were kept: it cannot be published again";

function wasCut(payload: string): boolean {
  return exceedsBytes(payload, DEAD_LETTER_BYTES - LONGEST_CHARACTER);
}
