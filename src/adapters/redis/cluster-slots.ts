/** A Cluster divides its keys into so many slots. */
export const SLOTS = 16_384;

/** Slots from the first to the last, both included. */
export type SlotRange = readonly [first: number, last: number];

export const ALL_SLOTS: readonly SlotRange[] = [[0, SLOTS - 1]];

/** The slot of a key or of a sharded channel: that of its hash tag, `{…}`, if it has one. */
export function slotOf(key: string): number {
  const open = key.indexOf("{");
  const close = open === -1 ? -1 : key.indexOf("}", open + 1);
  // An empty tag is none.
  return crc16(close > open + 1 ? key.slice(open + 1, close) : key) % SLOTS;
}

/** Makes a tag that nobody else has, whose slot is in one of the ranges: `tag` puts a random text into it. */
export function tagIn<Tag extends string>(ranges: readonly SlotRange[], tag: (random: string) => Tag): Tag {
  if (ranges.length === 0) throw new Error("no slots to choose from");
  for (;;) {
    const made = tag(Math.random().toString(36).slice(2, 14));
    const slot = slotOf(made);
    if (ranges.some(([first, last]) => first <= slot && slot <= last)) return made;
  }
}

/** The checksum that Redis uses, CRC-16/XMODEM over the bytes of the text. */
function crc16(text: string): number {
  let sum = 0;
  for (const byte of ENCODER.encode(text)) sum = ((sum << 8) & 0xffff) ^ (TABLE[(sum >> 8) ^ byte] ?? 0);
  return sum;
}

const ENCODER = new TextEncoder();
const POLYNOMIAL = 0x1021;
const TABLE: readonly number[] = Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 8;
  for (let bit = 0; bit < 8; bit++) sum = sum & 0x8000 ? (sum << 1) ^ POLYNOMIAL : sum << 1;
  return sum & 0xffff;
});
