import type { DeliverySource } from "./delivery-source.ts";

/** A channel that somebody on this node watches: one subscription at the broker, however many watch. */
export interface ChannelFeed extends DeliverySource {
  /** Resolves when everything published from now on arrives; rejects as `PubSubPort.subscribe` does. */
  open(): Promise<void>;
  close(): void;
}
