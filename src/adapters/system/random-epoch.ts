const LENGTH = 10;
const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";

/** A name no other history bears: 10 of 36 digits, 3.6 × 10^15 of them. */
export function randomEpoch(): string {
  let epoch = "";
  while (epoch.length < LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(LENGTH))) {
      // 252 is the largest multiple of 36 in a byte: above it the first digits would come more often.
      if (byte < 252 && epoch.length < LENGTH) epoch += DIGITS[byte % 36];
    }
  }
  return epoch;
}
