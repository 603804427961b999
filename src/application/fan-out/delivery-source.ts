import type { EventPosition } from "../../domain/event-position.ts";
import type { Broadcaster } from "./broadcaster.ts";
import type { ChannelNow } from "./delivery-start.ts";
import type { ReadHistory } from "./shared-history.ts";

/** The channel that a delivery is a place on. */
export interface DeliverySource {
  readonly broadcaster: Broadcaster;
  /** Undefined where nothing is ever replayed. */
  readonly replays: ReplaySource | undefined;
}

/** Where a replay is read on, and what is there when it cannot be. */
export interface ReplaySource {
  /** Something of what is kept after a position (`undefined`: from the oldest). Never rejects: waits for the broker. */
  readOn(after: EventPosition | undefined): Promise<ReadHistory>;
  /** What the broker has does not fit what this node has: to be read again. */
  doubt(): void;
  /** What this node has of the channel. */
  now(): ChannelNow;
}
