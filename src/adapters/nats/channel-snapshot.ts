import type { ChannelSnapshot } from "../../application/ports/pub-sub-port.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { PublishedEvent } from "../../domain/channel-record.ts";
import { atEnd, inForce, readCancel } from "./channel-cancels.ts";
import { isKeptBeside, readHead } from "./channel-head.ts";
import { eventsOfMessage } from "./channel-message.ts";
import type { ChannelState, EventPlace } from "./channel-state.ts";
import { readViewers } from "./channel-viewers.ts";
import type { EventStream } from "./event-stream.ts";
import type { KnownHoles } from "./known-holes.ts";
import { messageAt } from "./message-copies.ts";
import { readAgain } from "./read-again.ts";
import type { ChannelSubjects } from "./subjects.ts";

interface SnapshotTerms {
  readonly ttlMs: number;
  readonly holes: KnownHoles;
  /** Resolves with when the worker was last heard by a duplicate, in milliseconds since 1970; undefined if it never was. */
  readonly heardAt: () => Promise<number | undefined>;
  /** Milliseconds since 1970 that the broker's clock shows at most. */
  readonly now: () => number;
}

/** Reads what a channel is by now, in at most two steps. */
export function readSnapshot(
  stream: EventStream,
  subjects: ChannelSubjects,
  { ttlMs, holes, heardAt, now: clock }: SnapshotTerms,
): Promise<ChannelSnapshot> {
  let missing: readonly number[] = [];
  return readAgain(async () => {
    const [{ kept }, declared, heard, cancel] = await Promise.all([
      readHead(stream, subjects, ttlMs),
      readViewers(stream, subjects.viewers),
      heardAt(),
      readCancel(stream, subjects),
    ]);
    const { lost, ...referred } = await readReferred(stream, subjects, kept?.state);
    // If an event is gone, somebody trimmed the channel between the two steps, or it has begun anew. If it is gone again, the
    // stream has lost it, and the state does without it.
    if (lost.some((sequence) => !missing.includes(sequence))) {
      missing = lost;
      return undefined;
    }
    const now = clock();
    return {
      ...referred,
      position: { epoch: kept?.epoch ?? "", offset: kept?.offset ?? 0 },
      stages: kept?.course.stages ?? [],
      attemptId: kept?.course.attempts.current,
      spans: kept?.course.spans ?? [],
      oldestKept: kept === undefined ? 1 : holes.oldestKept(subjects.events, kept),
      viewers: declared && isKeptBeside(declared.at, ttlMs, now, kept) ? declared.viewers : undefined,
      cancel: inForce(cancel, kept, ttlMs, now),
      cancelAtEnd: atEnd(cancel, kept, ttlMs, now),
      heardAt: kept && Math.max(kept.at, heard ?? 0),
      brokerNow: Math.max(now, kept?.at ?? 0),
    };
  });
}

/** Reads the viewers of a channel, and its events only if those decide whether the viewers have expired. */
export async function readKeptViewers(
  stream: EventStream,
  subjects: ChannelSubjects,
  ttlMs: number,
  now: number,
): Promise<ViewerList | undefined> {
  const declared = await readViewers(stream, subjects.viewers);
  if (declared === undefined) return undefined;
  if (isKeptBeside(declared.at, ttlMs, now, undefined)) return declared.viewers;
  const { kept } = await readHead(stream, subjects, ttlMs);
  return isKeptBeside(declared.at, ttlMs, now, kept) ? declared.viewers : undefined;
}

/** The events that a channel's state refers to. */
interface ReferredEvents {
  readonly lastStatus: PublishedEvent | undefined;
  readonly currentTerminal: PublishedEvent | undefined;
  /** The sequences of those that are gone. */
  readonly lost: readonly number[];
}

/** Reads the events that a head refers to. */
async function readReferred(
  stream: EventStream,
  { copies }: ChannelSubjects,
  state: ChannelState | undefined,
): Promise<ReferredEvents> {
  const [status, terminal] = await Promise.all([
    eventAt(stream, copies.status, state?.lastStatus),
    eventAt(stream, copies.terminal, state?.currentTerminal),
  ]);
  const lost: number[] = [];
  if (state?.lastStatus !== undefined && status === undefined) lost.push(state.lastStatus.sequence);
  if (state?.currentTerminal !== undefined && terminal === undefined)
    lost.push(state.currentTerminal.sequence);
  return { lastStatus: status, currentTerminal: terminal, lost };
}

async function eventAt(
  stream: EventStream,
  copySubject: string,
  place: EventPlace | undefined,
): Promise<PublishedEvent | undefined> {
  if (place === undefined) return undefined;
  const text = await messageAt(stream, copySubject, place.sequence);
  return text === undefined ? undefined : eventsOfMessage(text).events[place.index];
}
