import type { ByteBudget } from "../../domain/byte-budget.ts";

/**
 * Of one lot, whatever broker keeps the inbox: enough to fill a connection, few enough to hold in memory. All fields of
 * an entry count, since they are read for it.
 */
export const LOT: ByteBudget = { items: 512, bytes: 4 * 1024 * 1024 };
/** What is shown of the beginning of an entry that cannot be read, as much as a dead letter keeps, and of its end. */
export const SHOWN_BYTES = 64 * 1024;
/** How long others wait for a node that says nothing, in milliseconds. */
export const LEASE_MS = 3_000;
/** How often they look. */
export const ASK_AGAIN_MS = 500;
