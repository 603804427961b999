import type { AnalysisEvent, EncodedEvent } from "./analysis-event.ts";
import {
  type AnalysisChannel,
  analysisChannel,
  analysisIdOf,
  type ChannelName,
  isAnalysisChannel,
  parseAnalysisId,
} from "./channel.ts";
import { withCounts } from "./counts.ts";
import { encodeEvent } from "./encode-event.ts";
import { EVENT_RULES, type EventRules, MAX_ISSUES } from "./event-rules.ts";
import { arrayElements } from "./json-members.ts";
import { nestingOf, TOO_DEEP } from "./json-nesting.ts";
import { plainId } from "./kombu-value.ts";
import { toBounds } from "./rounding.ts";
import { exceedsBytes } from "./utf8.ts";

/** In UTF-8, as the event came in. */
export const MAX_EVENT_BYTES = 1024 * 1024;
const MAX_BATCH = 500;

export interface DecodeContext {
  /** The channel that the event was published to. It decides the event types that are taken, and their `analysis_id`. */
  readonly channel: ChannelName;
  /** Milliseconds since 1970: the timestamp of an event that has none. */
  readonly now: number;
  /** The most bytes of UTF-8 that the text may have, if that is fewer than `MAX_EVENT_BYTES`. */
  readonly mostBytes?: number;
  /** Those of `EVENT_RULES` if left out. */
  readonly rules?: EventRules;
}

export interface Issue {
  /** Where the fault is: `[]` is the whole, and in a batch the event's index comes first. */
  readonly path: (string | number)[];
  /** Never holds the value at fault. */
  readonly message: string;
}

interface DecodedEvent {
  readonly event: AnalysisEvent;
  readonly encoded: EncodedEvent;
}

export type DecodeFailure = {
  readonly ok: false;
  readonly reason: "not_json" | "too_large" | "invalid";
  readonly issues: Issue[];
};
export type DecodeResult = ({ readonly ok: true } & DecodedEvent) | DecodeFailure;
type DecodeBatchResult = { readonly ok: true; readonly events: DecodedEvent[] } | DecodeFailure;

/** Decodes one event. Only this function and `decodeEvents` make an event of unknown input. Never throws. */
export function decodeEvent(text: string, context: DecodeContext): DecodeResult {
  const parsed = parse(text, context.mostBytes);
  return parsed.ok ? decodeValue(parsed.value, text, context) : parsed;
}

export type AddressedEvent =
  | ({ readonly ok: true; readonly channel: AnalysisChannel } & DecodedEvent)
  /** `channel` if it names one. */
  | (DecodeFailure & { readonly channel?: AnalysisChannel });

/** Decodes an event that itself says which analysis it is of. Never throws. */
export function decodeAddressedEvent(text: string, taken: Omit<DecodeContext, "channel">): AddressedEvent {
  const parsed = parse(text, taken.mostBytes);
  if (!parsed.ok) return parsed;
  const { value } = parsed;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return invalid([{ path: [], message: "must be an object" }]);
  }
  const given = plainId((value as GivenFields).analysis_id);
  const id = typeof given === "string" ? parseAnalysisId(given) : undefined;
  if (id === undefined) {
    const message = given === undefined ? "is required" : "must be a UUID";
    return invalid([{ path: ["analysis_id"], message }]);
  }
  const channel = analysisChannel(id);
  return { ...decodeValue(value, text, { ...taken, channel }), channel };
}

/** Decodes the body of a request, one event or an array of 1 to 500: all of them or none. Never throws. */
export function decodeEvents(text: string, context: DecodeContext): DecodeBatchResult {
  const parsed = parse(text, context.mostBytes);
  if (!parsed.ok) return parsed;
  if (!Array.isArray(parsed.value)) {
    const single = decodeValue(parsed.value, text, context);
    return single.ok ? { ok: true, events: [single] } : single;
  }
  const values: unknown[] = parsed.value;
  if (values.length < 1 || values.length > MAX_BATCH) {
    return invalid([{ path: [], message: `must hold 1 to ${MAX_BATCH} events` }]);
  }
  const sources = arrayElements(text);
  const events: DecodedEvent[] = [];
  const issues: Issue[] = [];
  for (const [index, value] of values.entries()) {
    const decoded = decodeValue(value, sources[index] as string, context);
    if (decoded.ok) events.push(decoded);
    else issues.push(...decoded.issues.map(({ path, message }) => ({ path: [index, ...path], message })));
    if (issues.length >= MAX_ISSUES) break;
  }
  return issues.length === 0 ? { ok: true, events } : invalid(issues);
}

function parse(text: string, mostBytes = MAX_EVENT_BYTES): { ok: true; value: unknown } | DecodeFailure {
  if (exceedsBytes(text, mostBytes)) return tooLarge(mostBytes);
  const nesting = nestingOf(text);
  if (nesting.type === "too_deep") {
    return invalid([{ path: nesting.path, message: TOO_DEEP }]);
  }
  if (nesting.type === "unclosed") return NOT_JSON;
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    // The message of the parser may quote the text.
    return NOT_JSON;
  }
}

const NOT_JSON = failureOfAll("not_json", "must be JSON");
/** The failure of a text that is no UTF-8, hence no JSON. */
export const NOT_UTF8 = failureOfAll("not_json", "must be UTF-8");

/** The failure of a text that has more bytes than the broker takes. */
export function tooLarge(mostBytes: number): DecodeFailure {
  return failureOfAll("too_large", `must be at most ${mostBytes} bytes`);
}

function failureOfAll(reason: DecodeFailure["reason"], message: string): DecodeFailure {
  return { ok: false, reason, issues: [{ path: [], message }] };
}

function invalid(issues: Issue[]): DecodeFailure {
  return { ok: false, reason: "invalid", issues: issues.slice(0, MAX_ISSUES) };
}

type GivenFields = Readonly<Record<string, unknown>>;

function decodeValue(value: unknown, source: string, context: DecodeContext): DecodeResult {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return invalid([{ path: [], message: "must be an object" }]);
  }
  const given = value as GivenFields;
  const rules = rulesFor(given.event_type, context);
  if (!rules.ok) return rules;
  const analysisIssue = analysisIdIssue(given, context.channel);
  const parsed = rules.schema.safeParse(withCounts(given));
  if (!parsed.success || analysisIssue !== undefined) {
    const issues = (parsed.error?.issues ?? []).map(toIssue);
    return invalid(analysisIssue === undefined ? issues : [analysisIssue, ...issues]);
  }
  const timestamp = parsed.data.timestamp ?? new Date(context.now).toISOString();
  const event = { ...toBounds(parsed.data), timestamp, ...analysisIdField(context.channel) } as AnalysisEvent;
  return { ok: true, event, encoded: encodeEvent(event, given, source) };
}

type Schema = EventRules[keyof EventRules];

function rulesFor(
  eventType: unknown,
  { channel, rules = EVENT_RULES }: DecodeContext,
): { ok: true; schema: Schema } | DecodeFailure {
  if (!isAnalysisChannel(channel)) {
    if (eventType === undefined || eventType === "notice") return { ok: true, schema: rules.notice };
    return invalid([{ path: ["event_type"], message: "must be notice on this channel" }]);
  }
  const type = ANALYSIS_TYPES.find((one) => one === eventType);
  if (type !== undefined) return { ok: true, schema: rules[type] };
  const message = eventType === undefined ? "is required" : `must be one of ${ANALYSIS_TYPES.join(", ")}`;
  return invalid([{ path: ["event_type"], message }]);
}

const ANALYSIS_TYPES = ["status_update", "result_update", "result", "error"] as const;

function analysisIdIssue(given: GivenFields, channel: ChannelName): Issue | undefined {
  const id = plainId(given.analysis_id);
  if (!isAnalysisChannel(channel) || id === undefined) return undefined;
  const parsed = typeof id === "string" ? parseAnalysisId(id) : undefined;
  if (parsed === undefined) return { path: ["analysis_id"], message: "must be a UUID" };
  if (parsed === analysisIdOf(channel)) return undefined;
  return { path: ["analysis_id"], message: "must be the analysis it is published to" };
}

function analysisIdField(channel: ChannelName): { analysis_id?: string } {
  return isAnalysisChannel(channel) ? { analysis_id: analysisIdOf(channel) } : {};
}

function toIssue(issue: { readonly path: PropertyKey[]; readonly message: string }): Issue {
  return {
    path: issue.path.map((key) => (typeof key === "number" ? key : String(key))),
    message: issue.message,
  };
}
