import { isLater, isOwn, isShared, type Occurrence, sharesNames } from "./occurrence.ts";

/** The judgements of the occurrences of one content in one stretch. Times are the broker's, in milliseconds. */
export interface JudgedStretch<Code extends string> {
  readonly name: string;
  /** Everything up to this number was judged. */
  readonly known: number;
  /** How many of them nobody has yet appended by another name. */
  readonly handled: number;
  /** How many of those were retries, by a gateway that had heard what came before them. */
  readonly retries: number;
  /** When the last one was judged. */
  readonly at: number;
  /** When the last one was published at the latest. */
  readonly publishedBy: number;
  /** The number that was taken for a retry by a gateway that had not heard what came before it; 0: none. */
  readonly unsure: number;
  /** The refusal of the last one, if it was refused. */
  readonly refusal: Refusal<Code> | undefined;
  /** If one connection counts it: the shared stretch by which the same listener named the content later. */
  readonly precedes: string | undefined;
}

/** Why something was not stored. */
export interface Refusal<Code extends string> {
  readonly code: Code;
  readonly index: number;
}

/** A message of a stretch that another gateway named otherwise. */
interface Claim<Code extends string> {
  /** The stretch without it. */
  readonly left: JudgedStretch<Code>;
  readonly isRetry: boolean;
}

/**
 * The message of the stretch that the occurrence may be, though it bears another name there. Everybody hears the messages
 * of one channel in one order: before a retry nobody heard another message.
 */
export function claim<Code extends string>(
  occurrence: Occurrence,
  stretch: JudgedStretch<Code>,
): Claim<Code> | undefined {
  const { name, handled, retries, precedes } = stretch;
  const { before } = occurrence;
  if (sharesNames(occurrence, name) || handled === 0 || (before === "other" && handled === retries))
    return undefined;
  if (precedes !== undefined && (precedes === occurrence.stretch || isLater(occurrence.stretch, precedes)))
    return undefined;
  const isRetry = before === "same" ? retries > 0 : handled === retries;
  return { left: { ...stretch, handled: handled - 1, retries: retries - (isRetry ? 1 : 0) }, isRetry };
}

/** The stretch as it is once the occurrence has shown which mark its listener heard after it. */
export function heardBefore<Code extends string>(
  occurrence: Occurrence,
  stretch: JudgedStretch<Code>,
): JudgedStretch<Code> {
  const { name, precedes } = stretch;
  const shows = isShared(occurrence) && isOwn(name) && sharesNames(occurrence, name);
  return shows && precedes === undefined ? { ...stretch, precedes: occurrence.stretch } : stretch;
}

/** The stretch without the message of this number and its retries, all after it, which will be judged again. */
export function takenBack<Code extends string>(
  from: number,
  stretch: JudgedStretch<Code>,
): JudgedStretch<Code> {
  const { known, handled, retries, unsure } = stretch;
  const sure = known - from - (unsure > from ? 1 : 0);
  const left = Math.max(0, handled - sure - 1);
  return {
    ...stretch,
    known: from - 1,
    handled: left,
    retries: Math.min(left, Math.max(0, retries - sure)),
    unsure: unsure >= from ? 0 : unsure,
    refusal: undefined,
  };
}
