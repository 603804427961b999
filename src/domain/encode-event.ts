import type { AnalysisEvent, EncodedEvent } from "./analysis-event.ts";
import type { EventKind } from "./event-kind.ts";
import { arrayElements, memberValue, objectMembers } from "./json-members.ts";

/**
 * The event as it goes on: `source` as it was written, without an `event_id`, with what the rules filled in, and with
 * what they changed rewritten at its place. `given` is what `source` holds, `event` what the rules made of it.
 */
export function encodeEvent(
  event: AnalysisEvent,
  given: Readonly<Record<string, unknown>>,
  source: string,
): EncodedEvent {
  const members = objectMembers(oneLine(source));
  members.delete("event_id");
  setMembers(members, event, given);
  return {
    kind: kindOf(event),
    stage: event.event_type === "status_update" ? event.current_stage : undefined,
    timestamp: event.timestamp,
    // Attempts are runs of a worker on one analysis; notices have none, whatever they carry.
    attemptId: event.event_type === "notice" ? undefined : event.attempt_id,
    members: `${[...members.values()].join(",")}}`,
  };
}

/** Server-sent events are lines; in valid JSON a raw line break stands only between tokens, where a space does as well. */
function oneLine(source: string): string {
  return /[\r\n]/.test(source) ? source.replace(/[\r\n]/g, " ") : source;
}

function setMembers(members: Map<string, string>, decoded: object, given: object): void {
  for (const [name, value] of Object.entries(decoded)) {
    const member = members.get(name);
    if (member === undefined) members.set(name, memberOf(name, JSON.stringify(value)));
    else {
      const before = (given as Readonly<Record<string, unknown>>)[name];
      if (!isAsGiven(value, before))
        members.set(name, memberOf(name, changed(value, before, memberValue(member))));
    }
  }
}

function memberOf(name: string, source: string): string {
  return `${JSON.stringify(name)}:${source}`;
}

/** Whether the rules left it alone; fields they do not know stand in `given` only and do not count. */
function isAsGiven(decoded: unknown, given: unknown): boolean {
  if (decoded === given) return true;
  if (!isObject(decoded) || !isObject(given)) return false;
  return Object.entries(decoded).every(([name, value]) => isAsGiven(value, given[name]));
}

/** The source of a value that the rules changed, with all that they did not change as it was written. */
function changed(decoded: unknown, given: unknown, source: string): string {
  if (Array.isArray(decoded) && Array.isArray(given)) {
    const elements = arrayElements(source).map((element, index) =>
      isAsGiven(decoded[index], given[index]) ? element : changed(decoded[index], given[index], element),
    );
    return `[${elements.join(",")}]`;
  }
  if (!isObject(decoded) || !isObject(given)) return JSON.stringify(decoded);
  const members = objectMembers(source);
  setMembers(members, decoded, given);
  return `{${[...members.values()].join(",")}}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function kindOf(event: AnalysisEvent): EventKind {
  switch (event.event_type) {
    case "status_update":
      if (event.current_stage === "completed") return "status_completed";
      return event.current_stage === "failed" ? "status_failed" : "status";
    case "result_update":
      return "result";
    case "error":
      return "error";
    case "notice":
      return "notice";
  }
}
