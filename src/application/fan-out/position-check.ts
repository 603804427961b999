import type { EventPosition } from "../../domain/event-position.ts";
import type { ResyncReason } from "../ports/metric-names.ts";
import type { ChannelPosition } from "../ports/pub-sub-port.ts";

/** Whether an event is the next one after `last`, one that is known already, or a reason to resync. */
export function checkArrival(
  last: EventPosition,
  { epoch, offset }: EventPosition,
): "next" | "known" | "hole" | "epoch_changed" {
  const isSameEpoch = epoch === last.epoch;
  if (isSameEpoch && offset <= last.offset) return "known";
  if (offset !== last.offset + 1) return "hole";
  return isSameEpoch || offset === 1 ? "next" : "epoch_changed";
}

/** Compares one channel's position on this node with the broker's, time after time. */
export class PositionCheck {
  #lineage: string | undefined;
  #behindAt: EventPosition | undefined;

  /**
   * Why the channel should be read again; undefined if it need not be. Events that this node lacks may be on their way,
   * so a node is `behind` only if nothing arrived between two reports.
   */
  judge({ asked, current, broker }: PositionReport): ResyncReason | undefined {
    const lineageChanged = this.#lineage !== undefined && this.#lineage !== broker.lineage;
    this.#lineage = broker.lineage;
    const behindAt = this.#behindAt;
    this.#behindAt = undefined;
    const same = isSame(broker, asked);
    // Compared with the position when the question was sent: by now this node may rightly be ahead of the answer.
    if (!same && broker.offset <= asked.offset) return "lost";
    if (lineageChanged) return "lineage_changed";
    if (same) return undefined;
    if (behindAt !== undefined && isSame(behindAt, current)) return "behind";
    this.#behindAt = current;
    return undefined;
  }
}

interface PositionReport {
  /** This node's position when the question was sent. */
  readonly asked: EventPosition;
  /** This node's position by now. */
  readonly current: EventPosition;
  /** The broker's answer. */
  readonly broker: ChannelPosition;
}

/** Whether both are the same place of the same history. */
export function isSame(one: EventPosition, other: EventPosition): boolean {
  return one.offset === other.offset && one.epoch === other.epoch;
}
