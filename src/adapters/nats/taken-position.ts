import { answerOf, callApi } from "./nats-api.ts";
import type { NatsRequests } from "./nats-connection.ts";
import { isRefusal, REFUSED } from "./nats-errors.ts";
import type { WantedStream } from "./nats-streams.ts";
import { streamState } from "./stream-state.ts";
import { WORKERS_STREAM } from "./worker-subjects.ts";

/** The stream of one message: how far the workers' messages were taken. It never expires. */
export const TAKEN: WantedStream = {
  name: "TELLTALE_TAKEN",
  subjects: ["telltale.taken"],
  lastPerSubject: true,
};

const SUBJECT = "telltale.taken";

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
  answerOf((await link.request(SUBJECT, `${creation} ${sequence} ${at}`)).data);
}

/**
 * Resolves with the sequence up to which the messages of this stream were taken, 0 if none was. A stream that lost its newest
 * messages gives their sequences again: a position on them counts for nothing. Rejects as a request does.
 */
export async function readTaken(link: NatsRequests, creation: string): Promise<number> {
  const kept = await messageAt(link, TAKEN.name, { last_by_subj: SUBJECT });
  const [of, sequence = 0, at = 0] = kept?.text.split(" ") ?? [];
  if (of !== creation) return 0;
  const taken = await messageAt(link, WORKERS_STREAM, { seq: Number(sequence) });
  if (taken !== undefined) return taken.at === Number(at) ? Number(sequence) : 0;
  // An operator has emptied the stream.
  const { last_seq } = await streamState(link, WORKERS_STREAM);
  return last_seq >= Number(sequence) ? Number(sequence) : 0;
}

/** Asks the leader of the stream: any other server may lag behind. */
async function messageAt(link: NatsRequests, stream: string, query: object) {
  try {
    const { message } = await callApi<Answer>(link, `STREAM.MSG.GET.${stream}`, query);
    return { at: Date.parse(message.time), text: atob(message.data ?? "") };
  } catch (error) {
    if (isRefusal(error, REFUSED.noMessageFound)) return undefined;
    throw error;
  }
}

interface Answer {
  readonly message: {
    /** Base64; left out if it is empty. */
    readonly data?: string;
    /** RFC 3339. */
    readonly time: string;
  };
}
