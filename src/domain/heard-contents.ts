import { claim, heardBefore, type JudgedStretch, type Refusal, takenBack } from "./judged-stretch.ts";
import {
  type AppendedOccurrence,
  isLater,
  isOwn,
  isShared,
  type Occurrence,
  sharesNames,
} from "./occurrence.ts";

/** The place of stored events. `at` is the broker's time in milliseconds. */
export interface Place {
  readonly epoch: string;
  readonly firstOffset: number;
  readonly count: number;
  readonly at: number;
}

type Found<Code extends string> =
  | { readonly type: "new" }
  | { readonly type: "duplicate"; readonly place: Place }
  | ({ readonly type: "refused" } & Refusal<Code>);

/** The outcome of an occurrence. */
interface As<Code extends string> {
  readonly place?: Place;
  readonly refusal?: Refusal<Code> | undefined;
  /** Whether a gateway that takes it for a retry had heard what came before it. */
  readonly retry?: "sure" | "unsure";
  /** One of those that others appended by other names. */
  readonly counted?: boolean;
  /** Whether it is a retry that others appended by another name. */
  readonly claimed?: boolean;
  /** Another stretch as it is now that the occurrence counts as one of it or takes the place of one. */
  readonly changed?: JudgedStretch<Code>;
}

interface Content<Code extends string> {
  readonly place: Place | undefined;
  /** The name of the message stored there, while nothing but its retries was judged after it in its stretch. */
  readonly storedAs: Pick<Occurrence, "stretch" | "number"> | undefined;
  readonly stretches: readonly JudgedStretch<Code>[];
  readonly until: number;
}

/**
 * Knows which of the messages published on one channel were judged before, for each gateway that heard one appends it. No
 * message is stored twice. If the names of two gateways do not tell, a message that may have been judged counts as judged.
 * `append-events.lua` does the same on Redis.
 */
export class HeardContents<Code extends string> {
  /** In the order in which they are forgotten. */
  readonly #contents: Map<string, Content<Code>>;
  /** The last events of the channel that came in this way, with nothing else between them. */
  #run: { readonly from: number; readonly to: number };

  constructor(contents: Iterable<[string, Content<Code>]> = [], run = { from: 1, to: 0 }) {
    this.#contents = new Map(contents);
    this.#run = run;
  }

  copy(): HeardContents<Code> {
    return new HeardContents(this.#contents, this.#run);
  }

  /** `newest` is the offset of the channel's newest event. If the occurrence is new, call `stored` or `refused` next. */
  find(appended: AppendedOccurrence, newest: number, now: number): Found<Code> {
    const { occurrence, reachMs } = appended;
    const { number } = occurrence;
    const { place, storedAs, stretches } = this.#of(appended, now);
    const own = stretches.find(({ name }) => name === occurrence.stretch);
    if (own !== undefined && number <= own.known && !(number === own.unsure && occurrence.before === "other"))
      return known(place, stretches, number === own.known ? own.refusal : undefined);
    if (isShared(occurrence)) {
      // The messages judged until the last one that this node heard before its first mark are those it heard until then.
      const settled = stretches.findLastIndex(({ name }) => isOwn(name) && sharesNames(occurrence, name));
      for (const other of stretches.slice(settled + 1)) {
        const claimed = other.publishedBy >= now - reachMs ? claim(occurrence, other) : undefined;
        if (claimed === undefined) continue;
        this.#judged(appended, now, {
          refusal: other.refusal,
          claimed: claimed.isRetry,
          changed: claimed.left,
        });
        return known(place, stretches, other.refusal);
      }
      // Stored although one of the same content was published before it and is only now appended: it takes the place of
      // the later one. A gateway that heard both will append that one again, and its retries.
      if (place !== undefined && storedAs !== undefined && endOf(place) === newest) {
        const later = stretches.find(({ name, handled }) => name === storedAs.stretch && handled > 0);
        if (later !== undefined && isLater(later.name, occurrence.stretch)) {
          this.#judged(appended, now, { place, changed: takenBack(storedAs.number, later) });
          return { type: "duplicate", place };
        }
      }
    } else {
      const judged = stretches
        .filter(
          ({ name, at }) =>
            at >= now - reachMs && (name === occurrence.stretch || !sharesNames(occurrence, name)),
        )
        .reduce((sum, { handled, unsure }) => sum + handled + Math.sign(unsure), 0);
      if (judged === number) this.#judged(appended, now, { counted: true });
      if (judged >= number) return known(place, stretches, undefined);
    }
    const retry = place !== undefined && this.#retries(appended, place, newest, now);
    if (!retry) return { type: "new" };
    this.#judged(appended, now, { retry: occurrence.before === "unknown" ? "unsure" : "sure" });
    return { type: "duplicate", place };
  }

  stored(appended: AppendedOccurrence, place: Place): void {
    const { firstOffset, count } = place;
    const from = this.#run.to === firstOffset - 1 ? this.#run.from : firstOffset;
    this.#run = { from, to: firstOffset + count - 1 };
    this.#judged(appended, place.at, { place });
  }

  refused(appended: AppendedOccurrence, refusal: Refusal<Code>, now: number): void {
    this.#judged(appended, now, { refusal });
  }

  forgetExpired(now: number): void {
    for (const [content, { until }] of this.#contents) {
      if (now < until) return;
      this.#contents.delete(content);
    }
  }

  /** Whether nothing else was published on the channel since the same content was stored, a moment ago. */
  #retries({ occurrence, retryMs }: AppendedOccurrence, place: Place, newest: number, now: number): boolean {
    if (now - place.at > retryMs) return false;
    switch (occurrence.before) {
      case "other":
        return false;
      case "unknown":
        return endOf(place) === newest;
      case "same":
        // A bare message that was stored since was published after it.
        return this.#run.to === newest && place.firstOffset >= this.#run.from;
    }
  }

  #of({ occurrence, rememberMs }: AppendedOccurrence, now: number): Omit<Content<Code>, "until"> {
    const found = this.#contents.get(occurrence.content);
    if (found === undefined || now >= found.until)
      return { place: undefined, storedAs: undefined, stretches: [] };
    return { ...found, stretches: found.stretches.filter(({ at }) => now - at < rememberMs) };
  }

  #judged(appended: AppendedOccurrence, now: number, as: As<Code>): void {
    const { occurrence, ageMs, rememberMs } = appended;
    const { content, stretch: name, number } = occurrence;
    const { place, storedAs, stretches } = this.#of(appended, now);
    const before = stretches.find((one) => one.name === name);
    const others = stretches
      .filter((one) => one.name !== name)
      .map((one) => heardBefore(occurrence, one.name === as.changed?.name ? as.changed : one));
    const { known = 0, handled = 0, retries = 0, unsure = 0 } = before ?? {};
    const judged: JudgedStretch<Code> = {
      name,
      known: Math.max(known, number),
      handled: handled + (as.retry === "unsure" || as.counted ? 0 : 1),
      retries: retries + (as.retry === "sure" || as.claimed ? 1 : 0),
      at: now,
      publishedBy: now - ageMs,
      unsure: as.retry === "unsure" ? number : unsure === number ? 0 : unsure,
      refusal: as.refusal,
      precedes: before?.precedes,
    };
    const keepsName = as.retry !== undefined || storedAs?.stretch !== name;
    const newName = number > known ? { stretch: name, number } : undefined;
    this.#contents.delete(content);
    this.#contents.set(content, {
      place: as.place ?? place,
      storedAs: as.place !== undefined ? newName : keepsName ? storedAs : undefined,
      stretches: [...others, judged],
      until: now + rememberMs,
    });
  }
}

function endOf({ firstOffset, count }: Place): number {
  return firstOffset + count - 1;
}

function known<Code extends string>(
  place: Place | undefined,
  stretches: readonly JudgedStretch<Code>[],
  refusal: Refusal<Code> | undefined,
): Found<Code> {
  if (refusal !== undefined) return { type: "refused", ...refusal };
  if (place !== undefined) return { type: "duplicate", place };
  const last = stretches.findLast((one) => one.refusal !== undefined)?.refusal;
  return last === undefined ? { type: "new" } : { type: "refused", ...last };
}
