import type { PublishedEvent } from "../../application/ports/pub-sub-port.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { EventKind } from "../../domain/event-kind.ts";
import { type EpochSpan, positionOfText } from "../../domain/event-position.ts";
import type { StageMark } from "../../domain/stages.ts";

/** How the scripts write things down; the reading of it. A text that they did not write throws. */
export function flagOf(kind: EventKind): string {
  return FLAGS[kind];
}

/** An event as it is published and kept in the record: its flag, then its text. */
export function eventOfMessage(message: string): PublishedEvent {
  return eventOf(message.charAt(0), message.slice(1));
}

/** In the history the flag and the text stand apart. */
export function eventOf(flag: string, text: string): PublishedEvent {
  const meaning = MEANINGS.get(flag);
  const position = positionOfText(text);
  if (meaning === undefined || position === undefined) throw new Error(`not an event of ours: ${flag}`);
  return { position, kind: meaning.kind, reopens: meaning.reopens, text };
}

export const VIEWERS_FLAG = "v";

export function viewersToText(viewers: ViewerList): string {
  return JSON.stringify(viewers === "*" ? viewers : [...viewers]);
}

export function viewersOfText(text: string): ViewerList {
  const viewers: unknown = JSON.parse(text);
  if (viewers === "*") return viewers;
  if (!Array.isArray(viewers)) throw new Error("not a list of viewers of ours");
  return new Set(viewers.map(String));
}

/** `epoch@first ` for each. */
export function spansOfText(text: string): EpochSpan[] {
  return parts(text, " ").map((span) => {
    const [epoch = "", first] = span.split("@");
    return { epoch, firstOffset: Number(first) };
  });
}

/** `stage timestamp offset\n` for each. */
export function stagesOfText(text: string): StageMark[] {
  return parts(text, "\n").map((line) => {
    const [stage = "", at = "", offset] = line.split(" ");
    return { stage, at, offset: Number(offset) };
  });
}

function parts(text: string, end: string): string[] {
  return text === "" ? [] : text.slice(0, -1).split(end);
}

const FLAGS: Record<EventKind, string> = {
  status: "s",
  status_completed: "c",
  status_failed: "f",
  result: "t",
  error: "e",
  notice: "n",
};

interface Meaning {
  readonly kind: EventKind;
  readonly reopens: boolean;
}

const MEANINGS: ReadonlyMap<string, Meaning> = new Map(
  (Object.keys(FLAGS) as EventKind[]).flatMap((kind): [string, Meaning][] => [
    [FLAGS[kind], { kind, reopens: false }],
    [FLAGS[kind].toUpperCase(), { kind, reopens: true }],
  ]),
);
