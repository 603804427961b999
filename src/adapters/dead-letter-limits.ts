import { DEAD_LETTER_BYTES } from "../application/ports/dead-letter-port.ts";
import type { DeadLetter } from "../application/ports/worker-channel-port.ts";

/** What is kept of invalid or refused messages, whatever broker keeps them. */
export const DEAD_LETTERS_KEPT = 10_000;
/** How long letters are known again. Contents: as long as a node may report late what others reported before. */
const CONTENT_WINDOW_MS = 60_000;
const CONTENT_REMEMBERED_MS = 180_000;
const NAME_REMEMBERED_MS = 3_600_000;

/** How a letter is known again, however many nodes report it: by `name` within `windowMs`, forgotten after `rememberMs`. */
export interface KnownLetter {
  readonly name: string;
  readonly windowMs: number;
  readonly rememberMs: number;
}

export function knownLetter({ channel, payload, name, windowMs }: DeadLetter): KnownLetter {
  if (name !== undefined) {
    return { name: `name ${name}`, windowMs: NAME_REMEMBERED_MS, rememberMs: NAME_REMEMBERED_MS };
  }
  return {
    name: `content ${channel}\n${payload}`,
    windowMs: windowMs ?? CONTENT_WINDOW_MS,
    rememberMs: CONTENT_REMEMBERED_MS,
  };
}

/** The first 64 KiB of `payload`, cut between characters. */
export function keptPayload(payload: string): string {
  // A UTF-16 unit takes at most three bytes, so most payloads need no encoding to be known as short.
  if (payload.length * 3 <= DEAD_LETTER_BYTES) return payload;
  const bytes = new Uint8Array(DEAD_LETTER_BYTES);
  const { read } = new TextEncoder().encodeInto(payload, bytes);
  return payload.slice(0, read);
}
