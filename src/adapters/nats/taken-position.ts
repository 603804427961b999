import { keptMessage } from "./kept-message.ts";
import { answerOf } from "./nats-api.ts";
import type { NatsRequests } from "./nats-connection.ts";
import { RECORDS, TAKEN_SUBJECT } from "./subjects.ts";
import { WORKERS_STREAM } from "./worker-subjects.ts";

/** The newest message of the workers that was taken, and all before it were. */
export interface TakenPosition {
  /** Which stream of workers it lies in, see `FoundStream.creation`. */
  readonly creation: string;
  readonly sequence: number;
  /** When the stream stored it, in milliseconds since 1970. */
  readonly at: number;
}

/** Notes how far the messages were taken. Rejects as a request does. */
export async function storeTaken(link: NatsRequests, taken: TakenPosition): Promise<void> {
  const { creation, sequence, at } = taken;
  answerOf((await link.request(TAKEN_SUBJECT, `${creation} ${sequence} ${at}`)).data);
}

/**
 * Resolves with the sequence up to which the messages of this stream were taken; 0 if none was, or if the stream no longer has
 * the newest of them. A stream that lost its newest messages gives their sequences again, so that nobody knows then which
 * messages that number stands for. Rejects as a request does.
 */
export async function readTaken(link: NatsRequests, creation: string): Promise<number> {
  const kept = await keptMessage(link, RECORDS.name, { last_by_subj: TAKEN_SUBJECT });
  const [of, sequence = 0, at = 0] = kept?.text.split(" ") ?? [];
  if (of !== creation) return 0;
  const taken = await keptMessage(link, WORKERS_STREAM, { seq: Number(sequence) });
  return taken?.at === Number(at) ? Number(sequence) : 0;
}
