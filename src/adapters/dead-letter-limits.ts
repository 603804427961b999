/** What is kept of invalid or refused messages, whatever broker keeps them. */
export const DEAD_LETTERS_KEPT = 10_000;
const DEAD_LETTER_PAYLOAD_BYTES = 64 * 1024;
/** The same content on the same channel within this time is one letter, however many nodes report it. */
export const DEAD_LETTER_WINDOW_MS = 60_000;

/** The first 64 KiB of `payload`, cut between characters. */
export function keptPayload(payload: string): string {
  // A UTF-16 unit takes at most three bytes, so most payloads need no encoding to be known as short.
  if (payload.length * 3 <= DEAD_LETTER_PAYLOAD_BYTES) return payload;
  const bytes = new Uint8Array(DEAD_LETTER_PAYLOAD_BYTES);
  const { read } = new TextEncoder().encodeInto(payload, bytes);
  return payload.slice(0, read);
}
