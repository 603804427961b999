import { type AnalysisId, analysisChannel } from "../domain/channel.ts";
import { decodeEvent } from "../domain/decode-event.ts";
import { EVENT_RULES, type EventRules, eventRules } from "../domain/event-rules.ts";
import type { PublishIssue } from "./publish-errors.ts";

/** Thrown with `check` alone: a gateway would refuse the event. */
export class EventRefused extends Error {
  override readonly name = "EventRefused";
  readonly code = "event_refused";
  /** The fields that break the rules, at most 100. */
  readonly issues: readonly PublishIssue[];

  constructor(eventType: string, issues: readonly PublishIssue[]) {
    const faults = issues.slice(0, 10).map(({ path, message }) => `${path.join(".") || "event"} ${message}`);
    super(`a ${eventType} would be refused: ${faults.join("; ")}`);
    this.issues = issues;
  }
}

/** Throws `EventRefused` if a gateway with these rules would refuse the event, which is JSON. */
export function checkEvent(text: string, id: AnalysisId, rules: EventRules): void {
  const decoded = decodeEvent(text, { channel: analysisChannel(id), now: Date.now(), rules });
  if (decoded.ok) return;
  const { event_type } = JSON.parse(text) as { readonly event_type?: unknown };
  throw new EventRefused(String(event_type), decoded.issues);
}

/** The rules of a gateway with this setting STAGES: names with commas between, or `*`; if it is empty, those of the contract. */
export function rulesOf(stages: string): EventRules {
  const names = stages
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length === 0) return EVENT_RULES;
  return eventRules(names.length === 1 && names[0] === "*" ? "*" : names);
}
