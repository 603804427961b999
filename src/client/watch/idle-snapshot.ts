import type { WatchSnapshot } from "./watch-options.ts";

/** The snapshot of an analysis that is not to be watched. */
export const IDLE: WatchSnapshot = {
  connection: { status: "closed" },
  analysis: null,
  stalled: false,
  cancelRequested: null,
};
