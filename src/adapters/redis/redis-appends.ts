import { BrokerError, OutcomeUnknown } from "../../application/errors.ts";
import type { AppendOutcome, AppendRequest, WorkerAnswer } from "../../application/ports/pub-sub-port.ts";
import type { ChannelName } from "../../domain/channel.ts";
import { mostKept } from "../../domain/channel-record.ts";
import { AppendQueue, isAcknowledged } from "../broker/append-queue.ts";
import { randomEpoch } from "../system/random-epoch.ts";
import { type AppendScriptCall, type HistoryLimits, outcomeOf, requestArguments } from "./append-script.ts";
import type { EventConnections } from "./event-connections.ts";
import type { KnownFormat } from "./known-format.ts";
import type { PerPrimary } from "./per-primary.ts";
import { cancelCopyKey, keysOf, publishedOn } from "./redis-keys.ts";

interface RedisAppendsOptions {
  readonly db: number;
  readonly history: HistoryLimits;
  readonly primaries: PerPrimary<EventConnections>;
  readonly format: KnownFormat;
  /**
   * The script could not change the copy of a request to cancel, since the copy lies in another slot. The gateway has to renew
   * it with the channel, or to remove it if the request is over.
   */
  readonly onFarCopy: (channel: ChannelName, request: string, how: "renew" | "remove") => void;
}

/** Milliseconds that Redis has for one call. */
export const CALL_MS = 2_000;
/** Milliseconds that Redis has since the first append of a call, which a queue may have held. */
const LATEST_CALL_MS = 4_000;
/** Milliseconds within which every caller of an append is answered, whatever happens. */
export const ANSWER_MS = 4_500;

const FAR = /^(OVER|FAR) (.+)$/s;

/** The appends of one gateway. */
export class RedisAppends {
  readonly #options: RedisAppendsOptions;
  readonly #queue: AppendQueue;
  /** Its name among all gateways, by which the script recognises a call that comes twice. */
  readonly #gateway = randomEpoch();
  #calls = 0;

  constructor(options: RedisAppendsOptions) {
    this.#options = options;
    this.#queue = new AppendQueue({
      carryOut: (call) => this.#carryOut({ ...call, limits: options.history }),
      now: () => performance.now(),
    });
  }

  async append(request: AppendRequest): Promise<AppendOutcome> {
    // At once, even if an earlier append to the channel still waits for its deadline.
    const owner = this.#options.primaries.ownerOf(keysOf(request.channel).record);
    const connection = owner?.connectionFor(isAcknowledged(request));
    connection?.assertNotAway();
    connection?.assertPermitted();
    return this.#queue.append(request);
  }

  /** Sends a call to the primary past the queue and everything else that holds appends back. Rejects as `append` does. */
  async send(
    primary: EventConnections,
    { channel, requests, acknowledged, calledAt, limits }: AppendScriptCall,
  ): Promise<AppendOutcome[]> {
    const { format, db } = this.#options;
    const { record, history, viewers, cancel } = keysOf(channel);
    const keys = [record, history, viewers, cancel];
    const carried = requestArguments(channel, requests, keys);
    const call = `${this.#calls++}`;
    const within = () => Math.min(CALL_MS, calledAt + LATEST_CALL_MS - performance.now());
    const reply = await primary
      .connectionFor(acknowledged)
      .writeBy(within, "appendEvents", keys, (deadline) => [
        format.newest,
        deadline,
        requests.every(({ deduplicate }) => deduplicate !== undefined) ? "" : this.#gateway,
        call,
        randomEpoch(),
        randomEpoch(),
        `${limits.size}`,
        `${mostKept(limits.size)}`,
        `${limits.ttlMs}`,
        publishedOn(channel, db),
        cancelCopyKey(channel) ?? cancel,
        ...carried,
      ]);
    const [type, cancelState, ...answers] = format.understood(reply, channel);
    if (type === "REPEATED")
      throw new OutcomeUnknown("stored, but the answer went to another copy of the call");
    if (type !== "APPENDED") throw new Error(`the append script answered ${String(type)}`);
    if (acknowledged) await primary.replicas.hold(calledAt + ANSWER_MS - performance.now());
    const [, where, request] = FAR.exec(String(cancelState)) ?? [];
    if (request !== undefined)
      this.#options.onFarCopy(channel as ChannelName, request, where === "OVER" ? "remove" : "renew");
    const isRequested = cancelState === "REQUESTED" || where === "FAR";
    const worker: WorkerAnswer = isRequested ? { cancelRequested: true } : {};
    return answers.map((answer) => outcomeOf(answer, worker));
  }

  async #carryOut(call: AppendScriptCall): Promise<AppendOutcome[]> {
    return this.#options.primaries.at(keysOf(call.channel).record, async (primary) => {
      try {
        return await this.send(primary, call);
      } catch (error) {
        if (error instanceof BrokerError) primary.failed(call.acknowledged, error);
        throw error;
      }
    });
  }
}
