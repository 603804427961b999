import type { EventPosition } from "../../domain/event-position.ts";

/** What the broker said of where a channel stands. */
export interface StandReport {
  /** Where this node stood when the question was sent. */
  readonly stood: EventPosition;
  /** Where it stands by now. */
  readonly stands: EventPosition;
  readonly broker: EventPosition;
  /** The line of history that the broker is on. */
  readonly line: string;
}

/**
 * Judges whether a node still has what the broker has of a channel. What it lacks may be on its way, so it is in doubt
 * only where nothing came between two reports.
 */
export class PositionDoubt {
  #line: string | undefined;
  #behindAt: EventPosition | undefined;

  /** Why the channel should be read again; undefined where it need not be. */
  judge({ stood, stands, broker, line }: StandReport): "lost" | "behind" | "line_changed" | undefined {
    const lineChanged = this.#line !== undefined && this.#line !== line;
    this.#line = line;
    const behindAt = this.#behindAt;
    this.#behindAt = undefined;
    const same = isSame(broker, stood);
    // Compared with where it stood when asked: by now it may rightly be further than the broker was.
    if (!same && broker.offset <= stood.offset) return "lost";
    if (lineChanged) return "line_changed";
    if (same) return undefined;
    if (behindAt !== undefined && isSame(behindAt, stands)) return "behind";
    this.#behindAt = stands;
    return undefined;
  }
}

function isSame(one: EventPosition, other: EventPosition): boolean {
  return one.offset === other.offset && one.epoch === other.epoch;
}
