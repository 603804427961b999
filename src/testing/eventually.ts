import { setTimeout as pause } from "node:timers/promises";

const LOOK_AGAIN_MS = 20;
const PATIENCE_MS = 20_000;

/** Resolves once `holds` does. For changes that nobody reports, as of another process. Rejects after `patienceMs` milliseconds. */
export async function eventually(
  what: string | (() => string),
  holds: () => Promise<boolean>,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > deadline) {
      throw new Error(`never came true: ${typeof what === "string" ? what : what()}`);
    }
    await pause(LOOK_AGAIN_MS);
  }
}
