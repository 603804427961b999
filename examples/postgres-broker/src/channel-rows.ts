import { kindOfStored, type PublishedEvent, type StoredKind, storedKindOf } from "telltale/adapter";
import {
  type ChannelName,
  type ChannelSnapshot,
  type EpochSpan,
  type EventPosition,
  NewerFormat,
  type StageMark,
  type ViewerList,
} from "telltale/ports";
import { cancelOf, runOf } from "./cancel-row.ts";
import { emptyRecord, type KeptRecord } from "./judge.ts";
import { FORMAT } from "./schema.ts";

/** A row of the table `channels`, with the broker's clock beside it. */
export interface ChannelRow {
  readonly format: number;
  readonly lineage: string;
  readonly epoch: string;
  readonly last_offset: number;
  readonly oldest: number;
  readonly spans: string;
  readonly stages: string;
  readonly attempts: string;
  readonly run: string | null;
  readonly ended: boolean;
  readonly last_entry: string | null;
  readonly heard_at: number | null;
  readonly expires_at: number;
  readonly now: number;
}

/** The position on a channel that has no event. */
export const NOTHING: EventPosition = { epoch: "", offset: 0 };

/** The name of a channel as a key. PostgreSQL keeps no U+0000, which the name of a user may hold. */
export function keyOf(channel: string): string {
  return channel.replace(/[\\\0]/g, (character) => (character === "\0" ? "\\0" : "\\\\"));
}

/** The record of a channel; an empty one if the channel has expired. Throws `NewerFormat`. */
export function recordOf(row: ChannelRow, channel: string): KeptRecord {
  assertKnown(row.format, channel);
  if (row.expires_at <= row.now) return emptyRecord();
  const empty = emptyRecord();
  const stages = JSON.parse(row.stages) as StageMark[];
  return {
    epoch: row.epoch,
    offset: row.last_offset,
    lastStatus: undefined,
    currentTerminal: row.ended ? ENDED : undefined,
    stages,
    attempts: row.attempts === "" ? empty.attempts : JSON.parse(row.attempts),
    run: runOf(row.run, stages),
    lineage: row.lineage,
    oldest: row.oldest,
    spans: JSON.parse(row.spans) as EpochSpan[],
    lastEntry: row.last_entry === null ? undefined : JSON.parse(row.last_entry),
  };
}

/** Stands for the current terminal event, which an append need not read: it asks only whether there is one. */
export const ENDED: PublishedEvent = {
  position: { epoch: "", offset: 0 },
  kind: "result",
  reopens: false,
  text: "",
};

export function assertKnown(format: number | null, channel: string): void {
  if (format !== null && format > FORMAT) throw new NewerFormat(`${channel} has a newer format`);
}

/** Event and viewers as they are kept. */
export function eventOfText(text: string | null): PublishedEvent | undefined {
  if (text === null) return undefined;
  const event = JSON.parse(text) as PublishedEvent & { readonly kind: StoredKind };
  return { ...event, kind: kindOfStored(event.kind, event.text) };
}

/** As `eventOfText` reads it. */
export function textOfEvent(event: PublishedEvent | undefined): string | null {
  return event === undefined ? null : JSON.stringify({ ...event, kind: storedKindOf(event.kind) });
}

export function viewersToText(viewers: ViewerList): string {
  return JSON.stringify(viewers === "*" ? viewers : [...viewers]);
}

export function viewersOfText(text: string | null): ViewerList | undefined {
  if (text === null) return undefined;
  const viewers = JSON.parse(text) as "*" | string[];
  return viewers === "*" ? viewers : new Set(viewers);
}

/** The row of a channel that may have none, with its viewers. */
export type SnapshotRow = { readonly [Name in keyof Omit<ChannelRow, "now">]: ChannelRow[Name] | null } & {
  readonly now: number;
  readonly last_status: string | null;
  readonly current_terminal: string | null;
  readonly viewers: string | null;
  readonly request: string | null;
};

export function snapshotOf(row: SnapshotRow, channel: ChannelName): ChannelSnapshot {
  assertKnown(row.format, channel);
  const attempts = row.attempts ? JSON.parse(row.attempts) : {};
  return {
    position: row.epoch === null ? NOTHING : { epoch: row.epoch, offset: row.last_offset ?? 0 },
    lastStatus: eventOfText(row.last_status),
    currentTerminal: eventOfText(row.current_terminal),
    stages: JSON.parse(row.stages ?? "[]"),
    attemptId: attempts.current,
    spans: JSON.parse(row.spans ?? "[]"),
    oldestKept: row.oldest ?? 1,
    viewers: viewersOfText(row.viewers),
    cancel: cancelOf({ ...row, ended: row.current_terminal !== null }),
    heardAt: row.heard_at ?? undefined,
    brokerNow: row.now,
  };
}
