import type { Announcer } from "./announcer.ts";
import type { ChannelFeed } from "./channel-feed.ts";
import type { DeliveryStart } from "./replay.ts";
import type { StateReader } from "./state-reader.ts";

/** One delivery, from the request to its end. */
export type DeliveryState =
  /** Nothing is sent, and the ring keeps everything. `moved`: where to begin since the history moved, if it did. */
  | { readonly type: "held"; readonly moved?: { readonly start: DeliveryStart; readonly survived: boolean } }
  /** Events from before the ring's go first. If the socket took no more meanwhile, `lagging` follows, else `live`. */
  | Replaying
  /** Every event of the ring goes out as it comes. */
  | { readonly type: "live" }
  /** The socket took no more: events wait in the ring, and may be conflated. */
  | { readonly type: "lagging" }
  | { readonly type: "stopped" };

export type Replaying = NonNullable<DeliveryStart["replay"]>;
/** A channel whose history can be read. */
export type ReplaySource = Pick<ChannelFeed, "latest" | "readOn" | "resync"> & {
  readonly announcer: Pick<Announcer, "current">;
  readonly states: Pick<StateReader, "untilRead">;
};

/** The states that are the same for every delivery. */
export const STATE = {
  held: { type: "held" },
  live: { type: "live" },
  lagging: { type: "lagging" },
  stopped: { type: "stopped" },
} as const satisfies Record<string, DeliveryState>;
