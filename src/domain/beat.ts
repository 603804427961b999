import type { Issue } from "./decode-event.ts";
import { ATTEMPT_ID, isAttemptId } from "./event-rules.ts";
import { plainId } from "./kombu-value.ts";

type Beat =
  /** Undefined if it names no run. */
  | { readonly ok: true; readonly attemptId: string | undefined }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/**
 * Reads the text by which a worker says that it lives: an object that may have an `attempt_id`. Every other text names no run,
 * since gateways of former releases took any. Never throws.
 */
export function readBeat(text: string): Beat {
  const named = plainId(attemptIn(text));
  if (named === undefined || named === null) return { ok: true, attemptId: undefined };
  if (isAttemptId(named)) return { ok: true, attemptId: named };
  return { ok: false, issues: [{ path: ["attempt_id"], message: ATTEMPT_ID }] };
}

function attemptIn(text: string): unknown {
  try {
    const value = JSON.parse(text) as { readonly attempt_id?: unknown } | null;
    return value?.attempt_id;
  } catch {
    return undefined;
  }
}
