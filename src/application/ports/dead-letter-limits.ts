import type { ByteBudget } from "../../domain/byte-budget.ts";
import { firstBytes, shortened } from "../../domain/utf8.ts";
import { DEAD_LETTER_BYTES } from "./dead-letter-port.ts";
import type { DeadLetter } from "./worker-channel-port.ts";

/**
 * What is kept of invalid or refused messages in all, whatever broker keeps them. What is too much goes, the oldest of
 * the kind that has the most of it: a kind that keeps to its fifth loses none, however many there are of another.
 */
export const DEAD_LETTERS: ByteBudget = { items: 10_000, bytes: 64 * 1024 * 1024 };
/** The name of every channel of ours fits. */
const CHANNEL_BYTES = 512;
const REASON_BYTES = 1024;

/** A letter as it is kept: its payload cut to 64 KiB, between characters, its other fields so that they show it. */
export function keptLetter({ channel, payload, reason }: DeadLetter) {
  return {
    channel: shortened(channel, CHANNEL_BYTES),
    payload: firstBytes(payload, DEAD_LETTER_BYTES),
    reason: shortened(reason, REASON_BYTES),
  };
}

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
