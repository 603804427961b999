import {
  type CancelRequest,
  cancelAtEnd,
  cancelInForce,
  cancelOfText,
  cancelToText,
  type KeptCancel,
  toldCancel,
} from "../../domain/cancel-request.ts";
import { isOver } from "../../domain/current-run.ts";
import { besideMessage, readBeside, storeBeside } from "./beside-channel.ts";
import { isKeptBeside, type KeptHead, readHead } from "./channel-head.ts";
import type { EventStream } from "./event-stream.ts";
import type { ChannelSubjects } from "./subjects.ts";

interface StoredCancel {
  readonly kept: KeptCancel;
  /** When it was stored, in milliseconds since 1970. */
  readonly at: number;
}

/** Reads the last request to cancel, be it in force or not. */
export async function readCancel(
  stream: EventStream,
  subjects: ChannelSubjects,
): Promise<StoredCancel | undefined> {
  const stored = await readBeside(stream, subjects.cancel, isRequest);
  return stored && { kept: cancelOfText(stored.text), at: stored.at };
}

/** The request if it is in force on a channel as it is after `head`. `now` and `ttlMs` are milliseconds. */
export function inForce(
  stored: StoredCancel | undefined,
  head: KeptHead | undefined,
  ttlMs: number,
  now: number,
): CancelRequest | undefined {
  return cancelInForce(keptFor(stored, head, ttlMs, now), judgedBy(head));
}

/** The request that was in force when the run ended that the channel is in after `head`. */
export function atEnd(
  stored: StoredCancel | undefined,
  head: KeptHead | undefined,
  ttlMs: number,
  now: number,
): CancelRequest | undefined {
  return cancelAtEnd(keptFor(stored, head, ttlMs, now), judgedBy(head));
}

function keptFor(
  stored: StoredCancel | undefined,
  head: KeptHead | undefined,
  ttlMs: number,
  now: number,
): KeptCancel | undefined {
  return stored && isKeptBeside(stored.at, ttlMs, now, head) ? stored.kept : undefined;
}

function judgedBy(head: KeptHead | undefined) {
  return {
    offset: head?.offset ?? 0,
    currentTerminal: head?.state.currentTerminal,
    stages: head?.course.stages ?? [],
    run: head?.course.run,
    birth: head?.course.birth,
  };
}

/**
 * Stores a request unless one is in force or the channel has ended. If an event ends the channel meanwhile, the request
 * says that it came before that event, and is over. Rejects as `EventStream` does.
 */
export async function storeCancel(
  stream: EventStream,
  subjects: ChannelSubjects,
  request: CancelRequest,
  { ttlMs, deadline }: { readonly ttlMs: number; readonly deadline: number },
): Promise<"requested" | "ended"> {
  const [{ kept: head }, stored] = await Promise.all([
    readHead(stream, subjects, ttlMs),
    readCancel(stream, subjects),
  ]);
  const { state, course, offset = 0 } = head ?? {};
  const { stages = [], attempts, birth } = course ?? {};
  if (isOver({ currentTerminal: state?.currentTerminal, stages })) return "ended";
  if (inForce(stored, head, ttlMs, stream.now()) !== undefined) return "requested";
  const kept = { request, after: offset, birth: offset === 0 ? undefined : birth };
  const text = cancelToText(kept, toldCancel(request, stages, attempts?.current));
  await storeBeside(stream, subjects.cancel, { text, isOurs: isRequest, deadline });
  return "requested";
}

/** Reads a message of a request. Throws if no gateway wrote it. */
export function cancelOfMessage(text: string): {
  readonly deadline: number;
  readonly request: CancelRequest;
} {
  const message = besideMessage(text, isRequest);
  if (message === undefined) throw new Error("not a message of ours");
  return { deadline: message.deadline, request: cancelOfText(message.text).request };
}

function isRequest(text: string): boolean {
  try {
    const { request } = cancelOfText(text);
    return typeof request === "object" && request !== null && typeof request.requested_at === "string";
  } catch {
    // It is no JSON, or has no position: somebody else wrote it.
    return false;
  }
}
