import type { AccessGrant } from "../domain/access-grant.ts";
import { type AnalysisId, analysisChannel } from "../domain/channel.ts";
import type { Issue } from "../domain/decode-event.ts";
import { nestingOf, TOO_DEEP } from "../domain/json-nesting.ts";
import type { AccessPolicy } from "./access-policy.ts";
import type { ClockPort } from "./ports/clock-port.ts";
import type { PubSubPort } from "./ports/pub-sub-port.ts";

/** The most characters of a reason. */
const MOST_CHARACTERS = 1_000;

type CancelAnswer =
  | { readonly type: "requested" }
  /** A terminal event is the latest: there is nothing to cancel. */
  | { readonly type: "ended" }
  /** The broker keeps no requests. */
  | { readonly type: "not_kept" }
  /** The policy refused: the user may not watch this analysis, or nobody declared yet who may. */
  | { readonly type: "not_allowed" | "not_declared" }
  | { readonly type: "invalid"; readonly reason: "not_json" | "invalid"; readonly issues: readonly Issue[] };

/** Asks the worker of an analysis to end it, in the words of somebody who may watch it. */
export class CancelAnalysis {
  readonly #pubSub: PubSubPort;
  readonly #access: AccessPolicy;
  readonly #clock: ClockPort;

  constructor(pubSub: PubSubPort, access: AccessPolicy, clock: ClockPort) {
    this.#pubSub = pubSub;
    this.#access = access;
    this.#clock = clock;
  }

  /**
   * `body` is empty or `{"reason"?}`. Resolves `requested` only after the broker has the request; if one is in force already,
   * that one stays. Rejects as `PubSubPort.requestCancel` does, and with `AccessUndecided`.
   */
  async execute(analysisId: AnalysisId, grant: AccessGrant, body: string): Promise<CancelAnswer> {
    const channel = analysisChannel(analysisId);
    const viewers = await this.#pubSub.viewers(channel);
    const verdict = await this.#access.mayWatch({ analysisId, grant, viewers });
    if (verdict !== "allowed") return { type: verdict };
    const read = readReason(body);
    if (!read.ok) return { type: "invalid", reason: read.reason, issues: read.issues };
    const requestedAt = new Date(this.#clock.now()).toISOString();
    const outcome = await this.#pubSub.requestCancel?.(channel, {
      requested_at: requestedAt,
      user_id: grant.userId ?? null,
      reason: read.text,
    });
    return { type: outcome ?? "not_kept" };
  }
}

type ReadReason =
  | { readonly ok: true; readonly text: string | null }
  | { readonly ok: false; readonly reason: "not_json" | "invalid"; readonly issues: readonly Issue[] };

function readReason(text: string): ReadReason {
  if (text.trim() === "") return { ok: true, text: null };
  const nesting = nestingOf(text);
  if (nesting.type === "too_deep") return invalid(nesting.path, TOO_DEEP);
  if (nesting.type === "unclosed") return NOT_JSON;
  try {
    return reasonIn(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return NOT_JSON;
    throw error;
  }
}

function reasonIn(body: unknown): ReadReason {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return invalid([], "must be an object");
  const { reason = null } = body as { readonly reason?: unknown };
  if (reason === null) return { ok: true, text: null };
  if (typeof reason !== "string" || reason.length > MOST_CHARACTERS)
    return invalid(["reason"], `must be text of at most ${MOST_CHARACTERS} characters`);
  return { ok: true, text: reason };
}

const NOT_JSON = { ok: false, reason: "not_json", issues: [] } as const;

function invalid(path: readonly (string | number)[], message: string): ReadReason {
  return { ok: false, reason: "invalid", issues: [{ path: [...path], message }] };
}
