import type { AnalysisId } from "./channel.ts";
import { type EventPosition, formatEventId, type GivenPosition, parseEventId } from "./event-position.ts";

/**
 * The position of a client on several analyses at once, as one text that is opaque to the client: the name of the set, then the
 * position on each analysis of the set. A client gives it back as it is; on another set it is gone.
 */
export class CombinedPosition {
  readonly #ids: readonly AnalysisId[];
  readonly #set: string;
  readonly #positions: (EventPosition | undefined)[];
  readonly #texts: string[];

  constructor(ids: Iterable<AnalysisId>) {
    this.#ids = [...new Set(ids)].sort();
    this.#set = nameOf(this.#ids);
    this.#positions = this.#ids.map(() => undefined);
    this.#texts = this.#ids.map(() => "");
  }

  /**
   * The position on each analysis that a text names. An analysis is left out if the client had none there; `unreadable` for all
   * if the text belongs to another set.
   */
  read(text: string): ReadonlyMap<AnalysisId, GivenPosition> {
    const [set, ...rest] = text.split(".");
    const texts = rest.join(".").split(",");
    if (set !== this.#set || texts.length !== this.#ids.length)
      return new Map(this.#ids.map((id) => [id, "unreadable"]));
    const given = new Map<AnalysisId, GivenPosition>();
    for (const [index, id] of this.#ids.entries()) {
      const one = texts[index];
      if (one) given.set(id, parseEventId(one) ?? "unreadable");
    }
    return given;
  }

  /** The last position on an analysis that was known; undefined if none ever was. */
  last(analysisId: AnalysisId): EventPosition | undefined {
    return this.#positions[this.#ids.indexOf(analysisId)];
  }

  /** The text for a client that has reached `positionOf` each analysis; if one is not known, the last that was counts. */
  format(positionOf: (id: AnalysisId) => EventPosition | undefined): string {
    for (const [index, id] of this.#ids.entries()) {
      const position = positionOf(id);
      if (position === undefined || position === this.#positions[index]) continue;
      this.#positions[index] = position;
      this.#texts[index] = formatEventId(position);
    }
    return `${this.#set}.${this.#texts.join(",")}`;
  }
}

/** Two 32-bit hashes, so that two sets that a client has are never named alike. */
function nameOf(ids: readonly AnalysisId[]): string {
  let [one, other] = [0xdeadbeef, 0x41c6ce57];
  for (const character of ids.join()) {
    const code = character.charCodeAt(0);
    one = Math.imul(one ^ code, 0x85ebca77);
    other = Math.imul(other ^ code, 0xc2b2ae3d);
  }
  one ^= Math.imul(one ^ (other >>> 15), 0x735a2d97);
  other ^= Math.imul(other ^ (one >>> 15), 0xcaf649a9);
  return `${(one >>> 0).toString(36)}${(other >>> 0).toString(36)}`;
}
