import { setTimeout as pause } from "node:timers/promises";

const LOOK_AGAIN_MS = 20;
const PATIENCE_MS = 20_000;

/** Resolves once `holds` does. For changes that nobody reports, as of another process. Rejects after 20 seconds. */
export async function eventually(
  what: string | (() => string),
  holds: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) {
      throw new Error(`never came true: ${typeof what === "string" ? what : what()}`);
    }
    await pause(LOOK_AGAIN_MS);
  }
}
