import type { EventPosition } from "../../domain/event-position.ts";
import type { ReplayMode } from "./delivery-start.ts";

/** How one watcher is served. */
export interface DeliveryOptions {
  /** Whether the delivery ends with the analysis. */
  readonly untilTerminal: boolean;
  /** Whether statuses that wait may be left out in favour of a newer one, where the client does not keep up. */
  readonly conflates: boolean;
  /** What is sent again where the history did not survive. */
  readonly replay: ReplayMode;
  /** The same, where it moves before anything was sent: `replay` where it is not given. */
  readonly replayIfGone?: ReplayMode;
  /** The position the client gave, up to which it has everything; undefined where it gave none. */
  readonly after: EventPosition | undefined;
}
