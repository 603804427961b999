import { BrokerUnavailable, OutcomeUnknown } from "../../application/errors.ts";
import type { AppendOutcome, AppendRequest } from "../../application/ports/pub-sub-port.ts";
import type { ChannelName } from "../../domain/channel.ts";

/** Appends to one channel that go to the broker in one call. */
export interface AppendCall {
  readonly channel: ChannelName;
  readonly requests: readonly AppendRequest[];
  /** Whether a publisher is answered for it, so that replicas must have it too. */
  readonly acknowledged: boolean;
  /** When the first of them was called. */
  readonly calledAt: number;
}

interface AppendQueueOptions {
  /** Resolves with the outcomes in the order of the requests. If it rejects, none was stored or nobody knows. */
  readonly carryOut: (call: AppendCall) => Promise<readonly AppendOutcome[]>;
  /** Milliseconds. */
  readonly now: () => number;
  /** Whether the request may go out in one call with these before it. Default: it may. */
  readonly mayJoin?: (before: readonly AppendRequest[], request: AppendRequest) => boolean;
}

/** The limits of one call, so that it keeps the broker from anything else for a few milliseconds only. */
const MOST_EVENTS = 500;
const MOST_CHARACTERS = 4 * 1024 * 1024;
/** The limit of everything that waits for its call or its answer, over all channels. */
const MOST_WAITING_CHARACTERS = 64 * 1024 * 1024;

/**
 * The appends of this node: a queue for each channel, with one call under way at a time. Appends that come meanwhile go
 * out together in the next call. If a call fails, everything that waits behind it fails too: so no append is stored after
 * an earlier one to its channel has failed.
 *
 * If 64 MiB wait, as with a broker that does not answer, the queue refuses publishers at once until a call has ended. It
 * never refuses workers' messages and inbox entries, which wait in bounded queues of their own.
 */
export class AppendQueue {
  readonly #options: AppendQueueOptions;
  readonly #channels = new Map<ChannelName, Pending[]>();
  #characters = 0;
  #full = false;

  constructor(options: AppendQueueOptions) {
    this.#options = options;
  }

  append(request: AppendRequest): Promise<AppendOutcome> {
    const characters = charactersOf(request);
    this.#full ||= this.#characters + characters > MOST_WAITING_CHARACTERS;
    if (this.#full && isAcknowledged(request))
      return Promise.reject(new BrokerUnavailable("too much waits for the broker"));
    this.#characters += characters;
    const answer = Promise.withResolvers<AppendOutcome>();
    const pending = { request, characters, calledAt: this.#options.now(), answer };
    const queue = this.#channels.get(request.channel);
    if (queue === undefined) {
      const begun = [pending];
      this.#channels.set(request.channel, begun);
      // Later, so that all appends of this turn go out together.
      queueMicrotask(() => void this.#empty(request.channel, begun));
    } else {
      queue.push(pending);
    }
    return answer.promise;
  }

  /** Never rejects. */
  async #empty(channel: ChannelName, queue: Pending[]): Promise<void> {
    while (queue.length > 0) {
      const [first, ...others] = takeCall(queue, this.#options.mayJoin ?? always);
      if (first === undefined) break;
      const all = [first, ...others];
      try {
        const outcomes = await this.#options.carryOut({
          channel,
          requests: all.map(({ request }) => request),
          acknowledged: isAcknowledged(first.request),
          calledAt: first.calledAt,
        });
        if (outcomes.length !== all.length) throw new Error("not one outcome for each append");
        for (const [index, { answer }] of all.entries()) answer.resolve(outcomes[index] as AppendOutcome);
      } catch (error) {
        for (const { answer } of all) answer.reject(error);
        const unsent = failureOfUnsent(error);
        const behind = queue.splice(0);
        for (const { answer } of behind) answer.reject(unsent);
        all.push(...behind);
      }
      for (const { characters } of all) this.#characters -= characters;
      this.#full = false;
    }
    this.#channels.delete(channel);
  }
}

interface Pending {
  readonly request: AppendRequest;
  readonly characters: number;
  readonly calledAt: number;
  readonly answer: PromiseWithResolvers<AppendOutcome>;
}

function charactersOf({ events }: AppendRequest): number {
  return events.reduce((sum, { members }) => sum + members.length, 0);
}

function always(): boolean {
  return true;
}

/** Takes from the front of the queue as many as fit into one call: at least one, all acknowledged or none. */
function takeCall(queue: Pending[], mayJoin: NonNullable<AppendQueueOptions["mayJoin"]>): Pending[] {
  const before: AppendRequest[] = [];
  const [first] = queue;
  if (first === undefined) return [];
  const acknowledged = isAcknowledged(first.request);
  let events = 0;
  let characters = 0;
  const end = queue.findIndex(({ request, characters: its }, index) => {
    events += request.events.length;
    characters += its;
    const fits = events <= MOST_EVENTS && characters <= MOST_CHARACTERS;
    const joins = fits && isAcknowledged(request) === acknowledged && mayJoin(before, request);
    before.push(request);
    return index > 0 && !joins;
  });
  return queue.splice(0, end === -1 ? queue.length : end);
}

/**
 * Whether a publisher is answered for the append. Nobody waits for an answer to a bare message. An inbox entry leaves the
 * inbox after its event was stored, on the same stream of changes: a replica without the event still has the entry.
 */
export function isAcknowledged({ deduplicate }: AppendRequest): boolean {
  return deduplicate === undefined || deduplicate.by === "key";
}

/** The failure of appends that were not sent: their outcome is known. */
function failureOfUnsent(error: unknown): unknown {
  if (!(error instanceof OutcomeUnknown)) return error;
  return new BrokerUnavailable("not sent: an earlier append to the channel has an unknown outcome", {
    cause: error,
    trouble: { cause: "behind" },
  });
}
