import type { ViewerList } from "../domain/access-grant.ts";
import { type AnalysisId, analysisChannel, isUserId, MAX_USER_ID_BYTES } from "../domain/channel.ts";
import type { Issue } from "../domain/decode-event.ts";
import { nestingOf, TOO_DEEP } from "../domain/json-nesting.ts";
import type { PubSubPort } from "./ports/pub-sub-port.ts";

/** The most user ids that one declaration may hold. */
const MOST_VIEWERS = 1_000;

type DeclareAnswer =
  | { readonly type: "declared" }
  | { readonly type: "invalid"; readonly reason: "not_json" | "invalid"; readonly issues: readonly Issue[] };

/** Declares who may watch an analysis, from its publisher's own words. A later declaration replaces an earlier one. */
export class DeclareViewers {
  readonly #pubSub: PubSubPort;

  constructor(pubSub: PubSubPort) {
    this.#pubSub = pubSub;
  }

  /**
   * `body` is `{"viewers": "*"}` for everybody with a valid token, or `{"viewers": [user ids]}`. Resolves `declared` only
   * after the broker has it; rejects as `PubSubPort.declareViewers` does. No issue holds a value of the body.
   */
  async execute(analysisId: AnalysisId, body: string): Promise<DeclareAnswer> {
    const read = readBody(body);
    if (!read.ok) return { type: "invalid", reason: read.reason, issues: read.issues };
    await this.#pubSub.declareViewers(analysisChannel(analysisId), read.viewers);
    return { type: "declared" };
  }
}

type ReadViewers =
  | { readonly ok: true; readonly viewers: ViewerList }
  | { readonly ok: false; readonly reason: "not_json" | "invalid"; readonly issues: readonly Issue[] };

function readBody(text: string): ReadViewers {
  const nesting = nestingOf(text);
  if (nesting.type === "too_deep") return invalid(nesting.path, TOO_DEEP);
  if (nesting.type === "unclosed") return NOT_JSON;
  try {
    return readViewers(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return NOT_JSON;
    throw error;
  }
}

function readViewers(body: unknown): ReadViewers {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return invalid([], "must be an object");
  const { viewers } = body as { readonly viewers?: unknown };
  if (viewers === "*") return { ok: true, viewers };
  if (!Array.isArray(viewers)) return invalid(["viewers"], 'must be "*" or a list of user ids');
  // Counted before any id is checked: a body of 1 MiB that holds nothing but faults would make an answer of several.
  if (viewers.length > MOST_VIEWERS)
    return invalid(["viewers"], `must hold at most ${MOST_VIEWERS} user ids`);
  const issues = viewers.flatMap((id: unknown, index) =>
    typeof id === "string" && isUserId(id) ? [] : [{ path: ["viewers", index], message: USER_ID }],
  );
  if (issues.length > 0) return { ok: false, reason: "invalid", issues };
  return { ok: true, viewers: new Set<string>(viewers) };
}

const USER_ID = `must be text that is not blank, of at most ${MAX_USER_ID_BYTES} bytes`;
const NOT_JSON = { ok: false, reason: "not_json", issues: [] } as const;

function invalid(path: readonly (string | number)[], message: string): ReadViewers {
  return { ok: false, reason: "invalid", issues: [{ path: [...path], message }] };
}
