import type {
  ChannelPosition,
  ChannelSnapshot,
  HistoryPage,
  PublishedEvent,
} from "../../application/ports/pub-sub-port.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import { type EventKind, kindOfStored, type StoredKind, storedKindOf } from "../../domain/event-kind.ts";
import { type EpochSpan, positionOfText } from "../../domain/event-position.ts";
import type { StageMark } from "../../domain/stages.ts";
import { withoutStamp } from "../broker/append-stamp.ts";

/** The answer of a script. */
export type ScriptReply = readonly unknown[];

/*
 * The formats in which the scripts store and publish things, and answer. Reading a text that they did not write throws.
 */

/** The flag of a kind of event, as the script is given it. */
export function flagOf(kind: EventKind): string {
  return FLAGS[kind];
}

/** The flag that events of this kind are stored with. */
export function storedFlagOf(kind: EventKind): string {
  return FLAGS[storedKindOf(kind)];
}

/** Reads an event as it is published, and kept in the record: its flag, then its text, then its stamp if it has one. */
export function eventOfMessage(message: string): PublishedEvent {
  return eventOf(message.charAt(0), withoutStamp(message.slice(1)));
}

/** Reads an event of the history, which keeps its flag and its text apart. */
export function eventOf(flag: string, text: string): PublishedEvent {
  const meaning = MEANINGS.get(flag);
  const position = positionOfText(text);
  if (meaning === undefined || position === undefined) throw new Error(`not an event of ours: ${flag}`);
  return { position, kind: kindOfStored(meaning.kind, text), reopens: meaning.reopens, text };
}

export const VIEWERS_FLAG = "v";

export const CANCEL_FLAG = "k";

export function cancelRequestText({ requested_at, user_id, reason }: CancelRequest): string {
  return JSON.stringify({ requested_at, user_id, reason });
}

/** Reads a request, as it is published or as it is kept for workers. */
export function cancelRequestOf(text: string): CancelRequest {
  const { requested_at, user_id, reason } = JSON.parse(text) as CancelRequest;
  return { requested_at, user_id, reason };
}

export function viewersToText(viewers: ViewerList): string {
  return JSON.stringify(viewers === "*" ? viewers : [...viewers]);
}

export function viewersOfText(text: string): ViewerList {
  const viewers: unknown = JSON.parse(text);
  if (viewers === "*") return viewers;
  if (!Array.isArray(viewers)) throw new Error("not a list of viewers of ours");
  return new Set(viewers.map(String));
}

/** Reads spans, each written `epoch@first `. */
function spansOfText(text: string): EpochSpan[] {
  return parts(text, " ").map((span) => {
    const [epoch = "", first] = span.split("@");
    return { epoch, firstOffset: Number(first) };
  });
}

/** Reads marks, each written `stage timestamp offset\n`. */
function stagesOfText(text: string): StageMark[] {
  return parts(text, "\n").map((line) => {
    const [stage = "", at = "", offset] = line.split(" ");
    return { stage, at, offset: Number(offset) };
  });
}

/** Reads the answer of read-channel.lua. */
export function snapshotOf(reply: ScriptReply): ChannelSnapshot {
  const [
    ,
    now,
    viewers,
    cancel,
    epoch,
    offset,
    epochs,
    heard,
    status,
    terminal,
    stages,
    attempt,
    oldest,
    atEnd,
  ] = reply.map(textOrUndefined);
  return {
    position: { epoch: epoch ?? "", offset: Number(offset ?? 0) },
    lastStatus: status === undefined ? undefined : eventOfMessage(status),
    currentTerminal: terminal === undefined ? undefined : eventOfMessage(terminal),
    stages: stagesOfText(stages ?? ""),
    attemptId: attempt,
    spans: spansOfText(epochs ?? ""),
    oldestKept: Number(oldest ?? 1),
    viewers: viewers === undefined ? undefined : viewersOfText(viewers),
    cancel: cancel === undefined ? undefined : cancelRequestOf(cancel),
    cancelAtEnd: atEnd === undefined ? undefined : cancelRequestOf(atEnd),
    heardAt: heard === undefined ? undefined : Number(heard),
    brokerNow: Number(now),
  };
}

/** Reads the answer of read-positions.lua: undefined for a record that the server may not read. */
export function positionsOf([, lineage, now, ...positions]: ScriptReply): (ChannelPosition | undefined)[] {
  return Array.from({ length: positions.length / 3 }, (_, index) => {
    const [epoch, offset, heard] = positions.slice(3 * index, 3 * index + 3).map(String);
    if (offset === "") return undefined;
    const position = { epoch: epoch ?? "", offset: Number(offset), lineage: String(lineage) };
    return heard === "" ? position : { ...position, heardAt: Number(heard), brokerNow: Number(now) };
  });
}

/** Reads the answer of read-history.lua. */
export function pageOf([, resumed, epoch, offset, rows, oldest, epochs, more]: ScriptReply): HistoryPage {
  const newest = Number(offset);
  return {
    resumed: resumed === 1,
    position: { epoch: String(epoch), offset: newest },
    kept: { oldestKept: Number(oldest), newest, spans: spansOfText(String(epochs)) },
    events: (rows as HistoryRow[]).map(([, [flag, text]]) => eventOf(flag, text)),
    more: more === 1,
  };
}

type HistoryRow = readonly [id: string, fields: readonly [flag: string, text: string]];

function textOrUndefined(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : String(value);
}

function parts(text: string, end: string): string[] {
  return text === "" ? [] : text.slice(0, -1).split(end);
}

const FLAGS: Record<EventKind, string> = {
  status: "s",
  status_completed: "c",
  status_failed: "f",
  status_cancelled: "x",
  result: "t",
  data_result: "d",
  error: "e",
  notice: "n",
};

interface Meaning {
  readonly kind: StoredKind;
  readonly reopens: boolean;
}

const MEANINGS: ReadonlyMap<string, Meaning> = new Map(
  (Object.keys(FLAGS) as EventKind[]).map(storedKindOf).flatMap((kind): [string, Meaning][] => [
    [FLAGS[kind], { kind, reopens: false }],
    [FLAGS[kind].toUpperCase(), { kind, reopens: true }],
  ]),
);
