import type { ViewerList } from "../../domain/access-grant.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import type { ConnectionWriter } from "./connection-writer.ts";
import type { ReplayRequest } from "./replay.ts";

/** One watcher, and how it asked to be served. */
export interface DeliveryRequest {
  readonly writer: ConnectionWriter;
  readonly owner: DeliveryOwner;
  readonly replay: ReplayRequest;
  /** Whether the delivery ends with the analysis. */
  readonly untilTerminal: boolean;
  /** Whether a status that waits may be left out for a newer one if the client does not keep up. */
  readonly conflates: boolean;
}

/** The callbacks of a delivery. */
export interface DeliveryOwner {
  /** More waits than may be kept for this connection: it has to go (4009). */
  tooSlow(): void;
  /** The surviving history lacks something that was sent already: say so before the replay that follows. */
  startsAfresh(): void;
  /** The replay is sent, and with it all that is known up to `position`. Once a replay. */
  caughtUp(position: EventPosition): void;
  /** The end that `until=terminal` asked for: everything is sent, the current terminal event included. */
  finished(): void;
  viewersChanged(viewers: ViewerList): void;
  /** Serving it threw: log it and end the connection. Never throws. */
  failed(error: unknown): void;
}
