/** The id of an entry of the inbox: the stream it lies in, by its creation, and its sequence there. */
export function entryId(creation: string, sequence: number): string {
  return `${creation}-${sequence}`;
}

/** Negative if the first id is the earlier one. A stream that was made anew follows the one before. */
export function compareEntryIds(a: string, b: string): number {
  const [one, other] = [partsOf(a), partsOf(b)];
  return one.creation - other.creation || one.sequence - other.sequence;
}

function partsOf(id: string): { readonly creation: number; readonly sequence: number } {
  const [creation = "", sequence = ""] = id.split("-");
  return { creation: Number.parseInt(creation, 36), sequence: Number(sequence) };
}
