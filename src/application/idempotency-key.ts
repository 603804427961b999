import type { RequestKey } from "./ports/deduplication-key.ts";

/** How long the broker remembers the key that a publisher gave to its request, by its own clock. */
const IDEMPOTENCY_MS = 5 * 60 * 1000;

/** The key that a publisher gave to its request, over HTTP or beside its entry of the inbox. */
export function idempotencyKey(name: string, scope: RequestKey["scope"]): RequestKey {
  return { by: "key", name, scope, windowMs: IDEMPOTENCY_MS, rememberMs: IDEMPOTENCY_MS };
}
