import type { ViewerList } from "../../domain/access-grant.ts";
import { isUserId, MAX_USER_ID_BYTES } from "../../domain/channel.ts";
import type { Issue } from "../../domain/decode-event.ts";

const MOST_VIEWERS = 1_000;

const USER_ID = `must be text that is not blank, of at most ${MAX_USER_ID_BYTES} bytes`;

export type ReadViewers =
  | { readonly ok: true; readonly viewers: ViewerList }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** Reads `{"viewers": "*"}` or `{"viewers": [user ids]}`. No message holds what it refuses. */
export function readViewers(body: unknown): ReadViewers {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return fault([], "must be an object");
  const { viewers } = body as { readonly viewers?: unknown };
  if (viewers === "*") return { ok: true, viewers };
  if (!Array.isArray(viewers)) return fault(["viewers"], 'must be "*" or a list of user ids');
  // Counted before each is looked at: a mebibyte of faults would make an answer of many.
  if (viewers.length > MOST_VIEWERS) return fault(["viewers"], `must hold at most ${MOST_VIEWERS} user ids`);
  const issues = viewers.flatMap((id: unknown, index) =>
    typeof id === "string" && isUserId(id) ? [] : [{ path: ["viewers", index], message: USER_ID }],
  );
  return issues.length > 0 ? { ok: false, issues } : { ok: true, viewers: new Set<string>(viewers) };
}

function fault(path: (string | number)[], message: string): ReadViewers {
  return { ok: false, issues: [{ path, message }] };
}
