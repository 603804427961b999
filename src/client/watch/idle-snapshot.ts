import { snapshotOf } from "./snapshot.ts";

/** The snapshot of an analysis that is not to be watched. */
export const IDLE = snapshotOf({ status: "closed" }, null);
