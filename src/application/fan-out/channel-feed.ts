import type { Fanout } from "./fanout.ts";

/** A channel that somebody on this node watches: one subscription at the broker, however many watch. */
export interface ChannelFeed {
  readonly fanout: Fanout;
  /** Resolves when everything published from now on arrives; rejects as `PubSubPort.subscribe` does. */
  open(): Promise<void>;
  close(): void;
}
