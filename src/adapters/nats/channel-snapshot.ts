import type { ChannelSnapshot } from "../../application/ports/pub-sub-port.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import type { PublishedEvent } from "../../domain/channel-record.ts";
import { type KeptHead, readHead } from "./channel-head.ts";
import { eventsOfMessage } from "./channel-message.ts";
import type { ChannelState, EventPlace } from "./channel-state.ts";
import { readViewers } from "./channel-viewers.ts";
import type { EventStream } from "./event-stream.ts";
import { messageAt } from "./message-copies.ts";
import { readAgain } from "./read-again.ts";
import type { ChannelSubjects } from "./subjects.ts";

interface SnapshotTerms {
  readonly ttlMs: number;
  /** Resolves with when the worker was last heard by a duplicate, in milliseconds since 1970; undefined if it never was. */
  readonly heardAt: () => Promise<number | undefined>;
  /** Milliseconds since 1970 that the broker's clock shows at most. */
  readonly now: () => number;
}

/** Reads what a channel is by now, in at most two steps. */
export function readSnapshot(
  stream: EventStream,
  subjects: ChannelSubjects,
  { ttlMs, heardAt, now: clock }: SnapshotTerms,
): Promise<ChannelSnapshot> {
  return readAgain(async () => {
    const [{ kept }, declared, heard] = await Promise.all([
      readHead(stream, subjects, ttlMs),
      readViewers(stream, subjects.viewers),
      heardAt(),
    ]);
    const referred = await readReferred(stream, subjects, kept?.state);
    // If an event is gone, somebody trimmed the channel between the two steps, or it has begun anew.
    if (referred === undefined) return undefined;
    const now = clock();
    return {
      ...referred,
      position: { epoch: kept?.epoch ?? "", offset: kept?.offset ?? 0 },
      stages: kept?.course.stages ?? [],
      attemptId: kept?.course.attempts.current,
      spans: kept?.course.spans ?? [],
      oldestKept: kept?.state.oldestKept ?? 1,
      viewers: declared && viewersAreKept(declared.at, ttlMs, now, kept) ? declared.viewers : undefined,
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
  if (viewersAreKept(declared.at, ttlMs, now, undefined)) return declared.viewers;
  const { kept } = await readHead(stream, subjects, ttlMs);
  return viewersAreKept(declared.at, ttlMs, now, kept) ? declared.viewers : undefined;
}

/** The events that a channel's state refers to. */
interface ReferredEvents {
  readonly lastStatus: PublishedEvent | undefined;
  readonly currentTerminal: PublishedEvent | undefined;
}

/** Reads the events that a head refers to. Undefined if one is gone: then the channel is another one by now. */
async function readReferred(
  stream: EventStream,
  { copies }: ChannelSubjects,
  state: ChannelState | undefined,
): Promise<ReferredEvents | undefined> {
  const [status, terminal] = await Promise.all([
    eventAt(stream, copies.status, state?.lastStatus),
    eventAt(stream, copies.terminal, state?.currentTerminal),
  ]);
  if (status === "gone" || terminal === "gone") return undefined;
  return { lastStatus: status, currentTerminal: terminal };
}

async function eventAt(
  stream: EventStream,
  copySubject: string,
  place: EventPlace | undefined,
): Promise<PublishedEvent | undefined | "gone"> {
  if (place === undefined) return undefined;
  const text = await messageAt(stream, copySubject, place.sequence);
  return text === undefined ? "gone" : (eventsOfMessage(text).events[place.index] ?? "gone");
}

/** The viewers of a channel outlive the time to live by the channel's events, if they were there when it began. */
function viewersAreKept(at: number, ttlMs: number, now: number, kept: KeptHead | undefined): boolean {
  return now < at + ttlMs || (kept !== undefined && kept.course.bornAt < at + ttlMs);
}
