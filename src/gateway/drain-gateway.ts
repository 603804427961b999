import type { Listening } from "../adapters/server/listening.ts";
import type { ClockPort } from "../application/ports/clock-port.ts";
import type { Gateway } from "./container.ts";

/** The server below a gateway that drains. An embedded gateway has none of its own. */
export type DrainedServer = Pick<Listening, "stopAccepting" | "answered" | "stop">;

/** How much of the drain time may be over when all clients are told to leave. The rest is for those that are slow to go. */
const TOLD_BY = 0.6;
/** When the server accepts no connection any more, whoever is still here: requests that came before are still answered. */
const CLOSED_BY = 0.8;
/** When everything is cut that is not done. */
const CUT_BY = 0.9;
/** A second signal leaves so long for the last bytes, and the first part of it in any case: a stream writes in a later turn. */
const LAST_BYTES_MS = 300;
const LAST_TURNS_MS = 50;

/**
 * Ends a gateway within `withinMs`, as far as its broker lets itself be closed.
 *
 * - Until its clients are gone, the server accepts connections: a probe reads that the gateway drains, a publish is stored,
 *   and a watcher is told when to come back. A closed port would tell them nothing.
 * - Until its clients are told, it takes the messages of workers: it may be the only gateway that serves them.
 * - The messages, entries and requests in hand are finished.
 */
export async function drainGateway(gateway: Gateway, server: DrainedServer, withinMs: number): Promise<void> {
  const { clock, workers, ingest, ingestInbox, connections } = gateway;
  const closing = timer(clock, withinMs * CLOSED_BY);
  const cutting = timer(clock, withinMs * CUT_BY);
  await gateway.drain.execute(withinMs * TOLD_BY);
  const heardOut = workers?.stopListening().then(() => ingest?.settled());
  const worked = Promise.all([ingestInbox?.stop(), heardOut]);
  // A socket or a stream that was ended is there until its client has read the end of it.
  const gone = Promise.all([connections.empty(), server.answered()]);
  await Promise.race([Promise.all([gone, worked]), closing.over]);
  server.stopAccepting();
  await Promise.race([Promise.all([server.answered(), worked]), cutting.over]);
  closing.cancel();
  cutting.cancel();
}

/** Tells every client to leave. Resolves as soon as they have gone, or after a moment. */
export async function sendAwayNow({ drain, connections, clock }: Gateway): Promise<void> {
  drain.tellNow();
  await timer(clock, LAST_TURNS_MS).over;
  await Promise.race([connections.empty(), timer(clock, LAST_BYTES_MS - LAST_TURNS_MS).over]);
}

/** Resolves when `done` does, or after `milliseconds`. */
export async function inTime(clock: ClockPort, milliseconds: number, done: Promise<unknown>): Promise<void> {
  const { over, cancel } = timer(clock, milliseconds);
  try {
    await Promise.race([done, over]);
  } finally {
    cancel();
  }
}

function timer(clock: ClockPort, milliseconds: number): { over: Promise<void>; cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { over: promise, cancel: clock.after(milliseconds, resolve) };
}
