const LENGTH = 10;
const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";

/** A name that no other history has: 10 of 36 digits, so one of 3.6 × 10^15. */
export function randomEpoch(): string {
  let epoch = "";
  while (epoch.length < LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(LENGTH))) {
      // 252 is the largest multiple of 36 in a byte. With larger bytes the first digits would be more likely.
      if (byte < 252 && epoch.length < LENGTH) epoch += DIGITS[byte % 36];
    }
  }
  return epoch;
}
