/**
 * Ids of the form `milliseconds-sequence`, two numbers of up to 64 bits, as a stream gives them to its entries. A stream that
 * was made anew may put its incarnation before them, a number and a dash; its ids come after those without one.
 */

/** Below 0 if `one` comes before `other`, above 0 if after. Neither text nor `number` compares them rightly. */
export function compareTimedIds(one: string, other: string): number {
  const [sequence = 0n, time = 0n, incarnation = 0n] = one.split("-").map(BigInt).reverse();
  const [otherSequence = 0n, otherTime = 0n, otherIncarnation = 0n] = other.split("-").map(BigInt).reverse();
  if (incarnation !== otherIncarnation) return incarnation < otherIncarnation ? -1 : 1;
  if (time !== otherTime) return time < otherTime ? -1 : 1;
  return sequence === otherSequence ? 0 : sequence < otherSequence ? -1 : 1;
}

/** No entry was added before the year 2000, and no clock is a day ahead. */
const EARLIEST_MS = Date.UTC(2000, 0, 1);
const MOST_AHEAD_MS = 24 * 3_600_000;

/**
 * When an id was given, in milliseconds since 1970. Undefined if its first number cannot be a time, as when a worker
 * numbers its entries itself.
 */
export function timeOfId(id: string, now: number): number | undefined {
  const time = Number(id.split("-").at(-2));
  return time >= EARLIEST_MS && time <= now + MOST_AHEAD_MS ? time : undefined;
}
