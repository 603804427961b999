import { setImmediate } from "node:timers";

/** Resolves when everything that only waits for promises has run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
