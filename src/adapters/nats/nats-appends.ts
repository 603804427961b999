import { createHash } from "node:crypto";
import { RequestTooLarge } from "../../application/errors.ts";
import type { AppendOutcome, AppendRequest } from "../../application/ports/pub-sub-port.ts";
import { utf8Length } from "../../domain/utf8.ts";
import { type AppendCall, AppendQueue } from "../broker/append-queue.ts";
import { randomEpoch } from "../system/random-epoch.ts";
import { type AppendResult, ChannelAppends, type HistoryLimits } from "./channel-appends.ts";
import type { EventStream } from "./event-stream.ts";
import type { NatsCancels } from "./nats-cancels.ts";
import type { NatsClock } from "./nats-clock.ts";
import type { NatsHeard } from "./nats-heard.ts";

interface NatsAppendsOptions {
  readonly stream: EventStream;
  readonly clock: Pick<NatsClock, "stopwatch" | "deadlineIn">;
  readonly history: HistoryLimits;
  /** Resolves when appends may be sent. Rejects with `BrokerUnavailable` if they may not. */
  readonly ready: () => Promise<void>;
  /** The most bytes that the members of one message's events may have. */
  readonly mostMembers: () => number;
  /** `PubSubPort.mostBytes`. */
  readonly mostBytes: () => number;
  /** Notes that a channel's worker was heard, though nothing was stored, and knows its request to cancel. */
  readonly cancels: Pick<NatsCancels, "during"> & { readonly heard: Pick<NatsHeard, "tell"> };
  /** Called with every channel on which something was stored. */
  readonly onStored: (channel: string, result: AppendResult) => void;
  /** Gives a name that nothing else has. Default: a random one. */
  readonly newName?: () => string;
}

/** Milliseconds that NATS has for one call. */
export const CALL_MS = 2_000;
/** Milliseconds that NATS has since the first append of a call, which a queue may have held. */
const LATEST_CALL_MS = 4_000;
/** UTF-16 units of several requests in one message. */
const MOST_JOINED = 256 * 1024;
/** Bytes of UTF-8 that a UTF-16 unit has, at most. */
const BYTES_A_UNIT = 3;

/** The appends of one gateway. */
export class NatsAppends {
  readonly #options: NatsAppendsOptions;
  readonly #queue: AppendQueue;
  readonly #channels: ChannelAppends;

  constructor(options: NatsAppendsOptions) {
    this.#options = options;
    this.#channels = new ChannelAppends({
      stream: options.stream,
      history: options.history,
      newName: options.newName ?? randomEpoch,
      digest: (name) => createHash("sha256").update(name).digest("base64url").slice(0, DIGEST_LENGTH),
    });
    this.#queue = new AppendQueue({
      carryOut: (call) => this.#carryOut(call),
      now: () => options.clock.stopwatch(),
      mayJoin: (before, request) => mayJoin(before, request, options.mostMembers()),
    });
  }

  async append(request: AppendRequest): Promise<AppendOutcome> {
    // At once, even if an earlier append to the channel still waits for its deadline.
    await this.#options.ready();
    const bytes = request.events.reduce((sum, { members }) => sum + utf8Length(members), 0);
    if (bytes > this.#options.mostMembers()) throw new RequestTooLarge(this.#options.mostBytes());
    return this.#queue.append(request);
  }

  /** Forgets what it knows of channels: another server may have others. */
  forget(): void {
    this.#channels.forget();
  }

  async #carryOut({
    channel,
    requests,
    acknowledged,
    calledAt,
  }: AppendCall): Promise<readonly AppendOutcome[]> {
    const { clock, cancels, onStored } = this.#options;
    const within = Math.min(CALL_MS, calledAt + LATEST_CALL_MS - clock.stopwatch());
    // Nobody is told of the outcome of the others.
    const judge = acknowledged ? cancels.during(channel) : undefined;
    const result = await this.#channels.append({ channel, requests, deadline: clock.deadlineIn(within) });
    if (result.stored !== undefined) onStored(channel, result);
    else if (result.outcomes.some(({ type }) => type === "duplicate")) await cancels.heard.tell(channel);
    if (judge === undefined) return result.outcomes;
    const worker = await (await judge)(result.stored?.kept);
    return result.outcomes.map((outcome) =>
      outcome.type === "refused" ? outcome : { ...outcome, ...worker },
    );
  }
}

/** 132 bits. */
const DIGEST_LENGTH = 22;

/** A request with a key is a message of its own, since the key is the message's. */
function mayJoin(before: readonly AppendRequest[], request: AppendRequest, mostMembers: number): boolean {
  const all = [...before, request];
  if (all.some(({ deduplicate }) => deduplicate?.by === "key")) return before.length === 0;
  const characters = all
    .flatMap(({ events }) => events)
    .reduce((sum, { members }) => sum + members.length, 0);
  return characters <= Math.min(MOST_JOINED, mostMembers / BYTES_A_UNIT);
}
