/** The later of two times as `normaliseTime` returns them. */
export function laterTime(one: string, other: string): string {
  // Without its Z a time is a prefix of the same second with a fraction, and so sorts before it.
  return other.slice(0, -1) > one.slice(0, -1) ? other : one;
}
