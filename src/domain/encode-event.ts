import type { AnalysisEvent, EncodedEvent } from "./analysis-event.ts";
import { type EventKind, firstMemberOf } from "./event-kind.ts";
import { arrayElements, memberValue, objectMembers } from "./json-members.ts";

/**
 * The event as it goes on: `source` as it was written, without an `event_id`. Fields that the rules filled in come after
 * it, and values that they changed are rewritten at their place. `given` is `source` parsed, `event` is `given` after the rules.
 * The member that tells its kind from another one goes first, if there is one.
 */
export function encodeEvent(event: AnalysisEvent, given: Fields, source: string): EncodedEvent {
  const members = objectMembers(oneLine(source));
  members.delete("event_id");
  setMembers(members, event as unknown as Fields, given);
  const kind = kindOf(event);
  const first = firstMemberOf(kind);
  if (first !== undefined) members.delete(first.name);
  return {
    kind,
    stage: event.event_type === "status_update" ? event.current_stage : undefined,
    timestamp: event.timestamp,
    // Attempts are runs of a worker on one analysis; notices have none, whatever they carry.
    attemptId: event.event_type === "notice" ? undefined : event.attempt_id,
    members: `${[...(first === undefined ? [] : [first.source]), ...members.values()].join(",")}}`,
  };
}

/** Server-sent events are lines; in valid JSON a raw line break is only between tokens, and a space does as well. */
function oneLine(source: string): string {
  return /[\r\n]/.test(source) ? source.replace(/[\r\n]/g, " ") : source;
}

/** Replaces the values that the rules changed. A value that they left alone is the very one that was given. */
function setMembers(members: Map<string, string>, decoded: Fields, given: Fields): void {
  for (const [name, value] of Object.entries(decoded)) {
    const member = members.get(name);
    if (member !== undefined && value === given[name]) continue;
    members.set(name, `${JSON.stringify(name)}:${changed(value, given[name], member ?? "")}`);
  }
}

/** The source of a changed value of `member`, with all that did not change within it as it was written. */
function changed(decoded: unknown, given: unknown, member: string): string {
  const isNested = isObject(decoded) && isObject(given) && member !== "";
  return isNested ? changedWithin(decoded, given, memberValue(member)) : JSON.stringify(decoded);
}

function changedWithin(decoded: Fields, given: Fields, source: string): string {
  if (Array.isArray(decoded) && Array.isArray(given)) {
    const elements = arrayElements(source).map((element, index) =>
      decoded[index] === given[index] ? element : changedWithin(decoded[index], given[index], element),
    );
    return `[${elements.join(",")}]`;
  }
  const members = objectMembers(source);
  setMembers(members, decoded, given);
  return `{${[...members.values()].join(",")}}`;
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function kindOf(event: AnalysisEvent): EventKind {
  switch (event.event_type) {
    case "status_update":
      return STATUS_KINDS.get(event.current_stage) ?? "status";
    case "result_update":
      return "result";
    case "result":
      return "data_result";
    case "error":
      return "error";
    case "notice":
      return "notice";
  }
}

const STATUS_KINDS: ReadonlyMap<string, EventKind> = new Map([
  ["completed", "status_completed"],
  ["failed", "status_failed"],
  ["cancelled", "status_cancelled"],
]);
