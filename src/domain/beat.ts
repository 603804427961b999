import type { Issue } from "./decode-event.ts";
import { ATTEMPT_ID, isAttemptId } from "./event-rules.ts";
import { plainId } from "./kombu-value.ts";

type Beat =
  /** Undefined if it names no run. */
  | { readonly ok: true; readonly attemptId: string | undefined }
  | { readonly ok: false; readonly code: "not_json" }
  | { readonly ok: false; readonly code: "invalid_request"; readonly issues: readonly Issue[] };

/** Reads the text by which a worker says that it lives: an object that may have an `attempt_id`, or nothing. Never throws. */
export function readBeat(text: string): Beat {
  const value = text.trim() === "" ? null : parsed(text);
  if (value === undefined) return { ok: false, code: "not_json" };
  if (value === null) return { ok: true, attemptId: undefined };
  if (typeof value !== "object" || Array.isArray(value)) return invalid([], "must be an object");
  const named = plainId((value as { readonly attempt_id?: unknown }).attempt_id) ?? undefined;
  if (named === undefined || isAttemptId(named)) return { ok: true, attemptId: named };
  return invalid(["attempt_id"], ATTEMPT_ID);
}

function invalid(path: Issue["path"], message: string): Beat {
  return { ok: false, code: "invalid_request", issues: [{ path, message }] };
}

/** Undefined if it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
