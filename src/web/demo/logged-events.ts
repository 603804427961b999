import { signal } from "@preact/signals";
import type { AnalysisStateEvent, WatchedEvent } from "../../client/watch/watched-events.ts";
import { analysisId } from "../page/watched-analysis.ts";
import { fetchEvents } from "./demo-backend.ts";

/** One event, for the list of raw events. */
interface LoggedEvent {
  readonly eventId: string;
  readonly eventType: string;
  /** When this page got it, or for an event that came before when it was told: in milliseconds since 1970. */
  readonly at: number;
  readonly text: string;
}

type DeliveredEvent = Extract<WatchedEvent, { readonly event_id: string }>;

const MOST_LOGGED = 200;

/** Newest first. */
export const log = signal<readonly LoggedEvent[]>([]);
/** How many events the list has had. */
export const heard = signal(0);

export function clearLog(): void {
  log.value = [];
  heard.value = 0;
}

export function logEvent(event: DeliveredEvent): void {
  add([entryOf(event, Date.now())], "before");
}

/** Adds the events before this state, if they are few enough to be listed all. */
export async function logHistory({ analysis_id, last_event_id }: AnalysisStateEvent): Promise<void> {
  if (last_event_id === "0" || log.value.length > 0) return;
  const events = await fetchEvents(analysis_id, MOST_LOGGED).catch(nobodyCanSay);
  const last = events.findIndex(({ event_id }) => event_id === last_event_id);
  if (last === -1 || analysisId.value !== analysis_id) return;
  const earlier = events.slice(0, last + 1).reverse();
  add(
    earlier.map((event) => entryOf(event, Date.parse(event.timestamp))),
    "after",
  );
}

function add(entries: readonly LoggedEvent[], where: "before" | "after"): void {
  heard.value += entries.length;
  const all = where === "before" ? [...entries, ...log.value] : [...log.value, ...entries];
  log.value = all.slice(0, MOST_LOGGED);
}

function entryOf(event: DeliveredEvent, at: number): LoggedEvent {
  return { eventId: event.event_id, eventType: event.event_type, at, text: JSON.stringify(event) };
}

/** The list begins later then; the connection says what is wrong. */
function nobodyCanSay(): [] {
  return [];
}
