const encoder = new TextEncoder();
/** Texts are encoded into it piece by piece, so that counting allocates nothing. */
const scratch = new Uint8Array(16 * 1024);

/** The number of bytes of a text in UTF-8. Half a surrogate pair counts as the three of U+FFFD. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let rest = text; rest !== ""; ) {
    const { read, written } = encoder.encodeInto(rest, scratch);
    bytes += written;
    rest = rest.slice(read);
  }
  return bytes;
}

/** Whether a text is more than `most` bytes of UTF-8. */
export function exceedsBytes(text: string, most: number): boolean {
  // A UTF-16 unit becomes one to three bytes, so most texts need not be encoded to know.
  if (text.length > most) return true;
  return text.length * 3 > most && utf8Length(text) > most;
}

/** As much of the beginning of a text as fits into `most` bytes of UTF-8, cut between characters. */
export function firstBytes(text: string, most: number): string {
  if (text.length * 3 <= most) return text;
  const { read } = encoder.encodeInto(text, new Uint8Array(most));
  return text.slice(0, read);
}

/** As much of the end of a text as fits into `most` bytes of UTF-8, cut between characters. */
export function lastBytes(text: string, most: number): string {
  let end = text.slice(-most);
  for (let over = utf8Length(end) - most; over > 0; over = utf8Length(end) - most) {
    // At most three bytes go with each unit.
    end = end.slice(Math.ceil(over / 3));
  }
  return /^[\udc00-\udfff]/.test(end) ? end.slice(1) : end;
}

const CUT = " … (cut)";

/** A text of at most `most` bytes: as it is, or its beginning and a mark that says that it was cut. */
export function shortened(text: string, most: number): string {
  return exceedsBytes(text, most) ? firstBytes(text, most - utf8Length(CUT)) + CUT : text;
}
