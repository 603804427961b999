import type { AnalysisState } from "../../src/domain/analysis-state.ts";
import type { Expectation } from "./case-format.ts";
import type { Told } from "./told.ts";

const FOLDED = ["analysis", "stalled", "cancel_requested"];

/** The first difference from the expectation, in words; undefined if there is none. */
export function differenceOf(
  { events, ...rest }: Expectation,
  told: Told,
  folded: AnalysisState | null,
): string | undefined {
  const { connection, ...snapshot } = told.report.snapshot;
  const seen: Record<string, unknown> = {
    ...snapshot,
    connection,
    over: told.report.over,
    cancel: told.report.cancel,
  };
  for (const [name, expected] of Object.entries(rest)) {
    if (FOLDED.includes(name) && snapshot.analysis === undefined) continue;
    if (expected !== undefined && !matches(seen[name], expected))
      return `${name} is ${show(seen[name])}, not ${show(expected)}`;
  }
  if (events === undefined) return undefined;
  const told_ = told.events.filter(({ event_type }) => event_type !== "caught_up");
  const isSame = events.length === told_.length && events.every((one, index) => isEvent(told_[index], one));
  if (!isSame) return `the events told are ${show(told_.map(nameOf))}, not ${show(events)}`;
  if (snapshot.analysis !== undefined && !Bun.deepEquals(snapshot.analysis, folded))
    return `the analysis is ${show(snapshot.analysis)}; its events are folded to ${show(folded)}`;
  return undefined;
}

function isEvent(event: Told["events"][number] | undefined, expected: string | object): boolean {
  if (event === undefined) return false;
  return typeof expected === "string" ? nameOf(event) === expected : matches(event, expected);
}

/** As a case names it. */
function nameOf(event: Told["events"][number]): string {
  if (event.event_type === "analysis_state") return `analysis_state@${event.last_event_id}`;
  return typeof event.event_id === "string" ? event.event_id : event.event_type;
}

/** Whether a value has all that is expected, and maybe more. */
export function matches(seen: unknown, expected: unknown): boolean {
  if (typeof expected !== "object" || expected === null) return Object.is(seen, expected);
  if (typeof seen !== "object" || seen === null) return false;
  if (Array.isArray(expected) && (!Array.isArray(seen) || seen.length !== expected.length)) return false;
  return Object.entries(expected).every(([name, value]) =>
    matches((seen as Record<string, unknown>)[name], value),
  );
}

/** Short enough to be read. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 2_000 ? `${text.slice(0, 2_000)}…` : text;
}
