import type { EncodedEvent } from "./analysis-event.ts";
import { type AnalysisChannel, analysisChannel, isAnalysisChannel, parseAnalysisId } from "./channel.ts";
import { type DecodeContext, type DecodeFailure, decodeEvent, type Issue } from "./decode-event.ts";
import { isAttemptId } from "./event-rules.ts";
import { shownName } from "./json-nesting.ts";
import { plainId } from "./kombu-value.ts";
import { readableMembers } from "./readable-members.ts";

/** The code of the error that stands in for a terminal event that broke a rule. */
const EVENT_REFUSED = "event_refused";

/** Faults that the error names; the dead letter has the event itself. */
const MOST_ISSUES = 10;
/** The longest id or word that is read, as it was written. */
const MOST_CHARACTERS = 1_024;

/** A text as far as it can be shown. If `text` is only its beginning, `tail` is its end. */
export interface ShownText {
  readonly text: string;
  readonly tail?: string | undefined;
}

/**
 * The `error` that is stored in place of a terminal event that was refused, so that nobody waits for an end that was
 * sent; undefined if the text was none, as far as it can be read. It names the type, the faults, and the attempt that
 * the text named, so that an attempt that is over ends nothing.
 */
export function endInPlaceOf(
  { text, tail }: ShownText,
  failure: DecodeFailure,
  { channel, now }: DecodeContext,
): EncodedEvent | undefined {
  if (!isAnalysisChannel(channel)) return undefined;
  return endOf(readableMembers(text, tail), failure, { channel, now });
}

/** The same of a text that itself says which analysis it is of; undefined also if that cannot be read. */
export function addressedEndInPlaceOf(
  { text, tail }: ShownText,
  failure: DecodeFailure,
  now: number,
): { readonly channel: AnalysisChannel; readonly encoded: EncodedEvent } | undefined {
  const members = readableMembers(text, tail);
  const id = plainValue(members, "analysis_id");
  const analysisId = typeof id === "string" ? parseAnalysisId(id) : undefined;
  if (analysisId === undefined) return undefined;
  const channel = analysisChannel(analysisId);
  const end = endOf(members, failure, { channel, now });
  return end && { channel, encoded: end };
}

type Members = ReadonlyMap<string, string>;

function endOf(members: Members, failure: DecodeFailure, context: DecodeContext): EncodedEvent | undefined {
  const type = endTypeOf(members);
  return type === undefined ? undefined : encoded(type, members, issuesOf(failure, members), context);
}

function encoded(
  type: string,
  members: Members,
  issues: readonly Issue[],
  context: DecodeContext,
): EncodedEvent {
  const attempt = plainValue(members, "attempt_id");
  const [first] = issues;
  const place = first?.path.join(".") || "the event";
  const event = {
    event_type: "error",
    error_code: EVENT_REFUSED,
    error_message: `The worker's ${type} was refused: ${place} ${first?.message ?? "broke a rule"}.`,
    error_details: { event_type: type, issues },
    ...(isAttemptId(attempt) && { attempt_id: attempt }),
  };
  const decoded = decodeEvent(JSON.stringify(event), context);
  if (!decoded.ok) throw new Error("the error in place of a refused event breaks a rule itself");
  return decoded.encoded;
}

/** The words of the contract, those of later versions included, however a worker capitalises them. */
function endTypeOf(members: Members): string | undefined {
  const type = wordOf(members, "event_type");
  if (type === "result_update" || type === "result" || type === "error") return type;
  const stage = wordOf(members, "current_stage");
  return type === "status_update" && (stage === "failed" || stage === "cancelled") ? type : undefined;
}

function wordOf(members: Members, name: string): string | undefined {
  const value = plainValue(members, name);
  return typeof value === "string" ? value.trim().toLowerCase() : undefined;
}

/** A text or an id of kombu's; undefined if it is anything else. */
function plainValue(members: Members, name: string): unknown {
  const source = members.get(name) ?? "";
  if (source.length > MOST_CHARACTERS) return undefined;
  return source.startsWith("'") ? source.slice(1, -1) : plainId(parsed(source));
}

/** If the text is no JSON as a whole, the issue names the member that is none, if there is one. */
function issuesOf({ reason, issues }: DecodeFailure, members: Members): readonly Issue[] {
  if (reason !== "not_json") return issues.slice(0, MOST_ISSUES);
  for (const [name, source] of members) {
    if (parsed(source) !== undefined) continue;
    return [{ path: [shownName(name)], message: /^-?(?:NaN|Infinity)$/.test(source) ? NO_NUMBER : NO_JSON }];
  }
  return issues;
}

const NO_NUMBER = "must be a number, and in JSON NaN and Infinity are none";
const NO_JSON = "must be JSON";

function parsed(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    // As every value of JSON is another.
    return undefined;
  }
}
