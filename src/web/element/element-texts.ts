import { words } from "../words/failure-details.ts";

/** The words of the element, in English. A page may replace each by its name; `stage.NAME`, `region.TYPE` and `data.NAME` name a stage, a kind of region and a member of a result. */
export const ENGLISH: Readonly<Record<string, string>> = {
  connecting: "Connecting…",
  reconnecting: "Connection lost, reconnecting…",
  unconnected: "Not connected, trying again… {reason}",
  undeclared: "Waiting for permission to watch…",
  forbidden: "You may not watch this analysis",
  expired: "Your access has ended",
  refused: "The gateway refused: {reason}",
  misused: "This page is set up wrongly: {reason}",
  unknown: "Waiting for the analysis to begin",
  queued: "Queued",
  running: "Running",
  stalled: "The worker has not been heard of lately",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  fake: "Manipulated",
  authentic: "Authentic",
  confidence: "{percent} confidence",
  counts: "{current} of {total} {unit}",
  count: "{current} {unit}",
  eta: "done {time}",
  region: "Frame {frame}: {type}, {percent}",
  datum: "{name}: {value}",
  yes: "yes",
  no: "no",
  earlier: "{count} earlier stages",
  more: "and {count} more",
  progress: "Progress of the analysis",
  stages: "Stages",
  cancel: "Cancel",
  cancelling: "Cancelling…",
  asked: "Requested by {user}",
  retry: "Try again now",
};

/** Puts values into the words of this name. */
export type Say = (name: string, values?: Readonly<Record<string, string>>) => string;

/** The texts that a page set, without those that are no text. A framework takes a property away by undefined or null. */
export function textsOf(given: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(given ?? {}).filter(([, text]) => typeof text === "string"));
}

/** Says it in these words, or in English. A stage that has no words is named by its own, in which nothing is put. */
export function sayer(texts: Readonly<Record<string, string>>): Say {
  return (name, values = {}) => {
    const text = own(texts, name) ?? own(ENGLISH, name);
    if (text === undefined) return words(name.replace(/^(?:stage|region|data)\./, ""));
    return text.replace(/\{(\w+)\}/g, (_, key: string) => own(values, key) ?? "").trim();
  };
}

/** Names come from workers too, and every object has a `constructor`. */
function own(texts: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(texts, name) ? texts[name] : undefined;
}
