/**
 * The id of an entry of the inbox: the stream it lies in, by its creation, its sequence there, and when the stream stored it.
 * `nanoseconds` are those since 1970, by the broker's clock.
 */
export function entryId(creation: string, sequence: number, nanoseconds: string): string {
  return `${creation}-${sequence}-${nanoseconds}`;
}

export interface EntryParts {
  readonly creation: string;
  readonly sequence: number;
  /** Undefined if a gateway wrote the id whose ids had no time yet. */
  readonly nanoseconds: bigint | undefined;
}

export function partsOfEntry(id: string): EntryParts {
  const [creation = "", sequence = "", nanoseconds] = id.split("-");
  return {
    creation,
    sequence: Number(sequence),
    nanoseconds: nanoseconds === undefined ? undefined : BigInt(nanoseconds),
  };
}

/** Negative if the inbox held the first entry before the other. A stream that was made anew follows the one before. */
export function compareEntryIds(a: string, b: string): number {
  const [one, other] = [partsOfEntry(a), partsOfEntry(b)];
  return comparePlaces(one, other) || compareTimes(one, other);
}

/**
 * How far the entries of a channel were stored. A stream that lost its newest messages gives their sequences again, and
 * a clock may be set back, so that the two can be different entries.
 */
export interface EntryMarks {
  /** The entry that lies furthest. */
  readonly furthest: string;
  /** The entry that the stream stored last; of several at the same instant, the one that lies furthest. */
  readonly latest: string;
}

/** Whether the marks rule out that the entry is new: it neither lies further nor is later. */
export function isMarked(id: string, { furthest, latest }: EntryMarks): boolean {
  const entry = partsOfEntry(id);
  return comparePlaces(entry, partsOfEntry(furthest)) <= 0 && !isLater(entry, partsOfEntry(latest));
}

/** The marks once an entry was stored that they did not rule out. */
export function marksAfter(marks: EntryMarks | undefined, id: string): EntryMarks {
  if (marks === undefined) return { furthest: id, latest: id };
  const entry = partsOfEntry(id);
  const latest = partsOfEntry(marks.latest);
  return {
    furthest: comparePlaces(entry, partsOfEntry(marks.furthest)) >= 0 ? id : marks.furthest,
    latest: latest.nanoseconds === undefined || isLater(entry, latest) ? id : marks.latest,
  };
}

/** False if one of the times is not known: then their places decide. */
function isLater(one: EntryParts, other: EntryParts): boolean {
  if (one.nanoseconds === undefined || other.nanoseconds === undefined) return false;
  return (compareTimes(one, other) || comparePlaces(one, other)) > 0;
}

function comparePlaces(one: EntryParts, other: EntryParts): number {
  const creations = Number.parseInt(one.creation, 36) - Number.parseInt(other.creation, 36);
  return creations || one.sequence - other.sequence;
}

function compareTimes(
  { nanoseconds: one = 0n }: EntryParts,
  { nanoseconds: other = 0n }: EntryParts,
): number {
  return Number(one - other);
}
