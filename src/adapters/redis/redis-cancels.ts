import { reasonOf } from "../../application/errors.ts";
import type { ChannelSnapshot, WorkerAnswer } from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import { type AnalysisChannel, type ChannelName, isAnalysisChannel } from "../../domain/channel.ts";
import type { EventConnections } from "./event-connections.ts";
import type { KnownFormat } from "./known-format.ts";
import type { PerPrimary } from "./per-primary.ts";
import { ANSWER_MS, CALL_MS } from "./redis-appends.ts";
import { cancelCopyKey, keysOf, publishedOn } from "./redis-keys.ts";
import { cancelRequestOf, cancelRequestText } from "./stored-format.ts";

interface RedisCancelsOptions {
  readonly db: number;
  readonly ttlMs: number;
  readonly primaries: PerPrimary<EventConnections>;
  readonly format: KnownFormat;
  readonly telemetry: TelemetryPort;
  readonly snapshot: (channel: AnalysisChannel) => Promise<ChannelSnapshot>;
}

/** A copy that nobody has confirmed yet lives so long, in milliseconds. */
const UNCONFIRMED_MS = 10_000;

/**
 * Requests to cancel, and signs of life. A request lies beside its channel, and workers that have Redis alone read a copy of
 * it. One Redis writes and removes both in one step. On a Cluster the copy may lie in another slot. Then the gateway writes
 * it after the request, and looks once more whether that is in force. If an append ended the request, its mark stays
 * until a gateway has removed the copy: each later append to the channel tells its gateway to do so. While the request is in
 * force, each append has its gateway renew the copy.
 */
export class RedisCancels {
  readonly #options: RedisCancelsOptions;

  constructor(options: RedisCancelsOptions) {
    this.#options = options;
  }

  /** As `PubSubPort.requestCancel`. */
  async request(channel: AnalysisChannel, request: CancelRequest): Promise<"requested" | "ended"> {
    const { db, ttlMs, primaries, format } = this.#options;
    const { record, cancel } = keysOf(channel);
    const args = [
      cancelRequestText(request),
      `${ttlMs}`,
      publishedOn(channel, db),
      cancelCopyKey(channel) ?? cancel,
    ];
    const reply = await primaries.at(record, async ({ publishing, replicas }) => {
      publishing.assertPermitted();
      const call = (deadline: string) => [format.newest, deadline, ...args];
      const reply = await publishing.writeBy(() => CALL_MS, "requestCancel", [record, cancel], call);
      await replicas.hold(ANSWER_MS - CALL_MS);
      return reply;
    });
    const [type, kept, isCopied, leftMs] = format.understood(reply, channel);
    if (type === "ENDED") return "ended";
    if (isCopied !== 1) await this.#copy(channel, String(kept), Number(leftMs));
    return "requested";
  }

  /** As `PubSubPort.signOfLife`. */
  async signOfLife(channel: AnalysisChannel, attemptId = ""): Promise<WorkerAnswer> {
    const { primaries, format } = this.#options;
    const { record, cancel } = keysOf(channel);
    const reply = await primaries.at(record, ({ commands }) =>
      commands.write("signOfLife", [record, cancel], [format.newest, attemptId]),
    );
    const [, isRequested] = format.understood(reply, channel);
    return isRequested === 1 ? { cancelRequested: true } : {};
  }

  /** Renews the copy of a request, or removes it, and then its mark beside the channel. Never rejects. */
  async changeCopy(channel: ChannelName, request: string, how: "renew" | "remove"): Promise<void> {
    if (!isAnalysisChannel(channel)) return;
    try {
      await (how === "renew" ? this.#renewCopy(channel, request) : this.#removeCopy(channel, request));
    } catch (error) {
      // The next append to the channel has it done.
      const reason = reasonOf(error);
      this.#options.telemetry.log("debug", "the copy of a request to cancel was not changed", {
        how,
        reason,
      });
    }
  }

  async #renewCopy(channel: AnalysisChannel, request: string): Promise<void> {
    const { ttlMs } = this.#options;
    if (await this.#change("keep", cancelCopyKey(channel) ?? "", request, ttlMs)) return;
    await this.#copy(channel, request, ttlMs);
  }

  async #removeCopy(channel: AnalysisChannel, request: string): Promise<void> {
    await this.#change("drop", cancelCopyKey(channel) ?? "", request);
    await this.#change("settle", keysOf(channel).cancel, request);
  }

  /** If an append ends the request meanwhile, one of the two finds the copy and removes it. */
  async #copy(channel: AnalysisChannel, request: string, ttlMs: number): Promise<void> {
    const key = cancelCopyKey(channel) ?? "";
    await this.#change("set", key, request, UNCONFIRMED_MS);
    const { cancel } = await this.#options.snapshot(channel);
    const inForce =
      cancel !== undefined && cancelRequestText(cancel) === cancelRequestText(cancelRequestOf(request));
    await this.#change(inForce ? "keep" : "drop", key, request, ttlMs);
  }

  /** Resolves with whether the key had the value. */
  async #change(
    how: "set" | "keep" | "drop" | "settle",
    key: string,
    value: string,
    ttlMs = 0,
  ): Promise<boolean> {
    const [, had] = await this.#options.primaries.at(key, ({ publishing }) =>
      publishing.write("copyCancel", [key], [how, value, `${ttlMs}`]),
    );
    return had === 1;
  }
}
