import { words } from "../words/failure-details.ts";

/** The words of the element, in English. A page may replace each by its name; `stage.NAME`, `region.TYPE` and `data.NAME` name a stage, a kind of region and a member of a result. */
export const ENGLISH: Readonly<Record<string, string>> = {
  connecting: "Connecting…",
  reconnecting: "Connection lost, reconnecting…",
  undeclared: "Waiting for permission to watch…",
  forbidden: "You may not watch this analysis",
  expired: "Your access has ended",
  refused: "The gateway refused: {reason}",
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
  more: "and {count} more",
  progress: "Progress of the analysis",
  stages: "Stages",
  cancel: "Cancel",
  cancelling: "Cancelling…",
  retry: "Try again now",
};

/** Puts values into the words of this name. */
export type Say = (name: string, values?: Readonly<Record<string, string>>) => string;

/** Says it in these words, or in English. A stage that has no words is named by its own. */
export function sayer(texts: Readonly<Record<string, string>>): Say {
  return (name, values = {}) => {
    const text = texts[name] ?? ENGLISH[name] ?? words(name.replace(/^(?:stage|region|data)\./, ""));
    return text.replace(/\{(\w+)\}/g, (_, key: string) => values[key] ?? "").trim();
  };
}
