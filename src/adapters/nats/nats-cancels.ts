import { reasonOf } from "../../application/errors.ts";
import type { ChannelPosition, WorkerAnswer } from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { isSuperseded, NO_ATTEMPTS } from "../../domain/attempts.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import { inForce, readCancel, storeCancel } from "./channel-cancels.ts";
import { type KeptHead, readHead, readLastPosition } from "./channel-head.ts";
import type { EventStream } from "./event-stream.ts";
import type { NatsClock } from "./nats-clock.ts";
import { NatsHeard } from "./nats-heard.ts";
import type { NatsLink } from "./nats-link.ts";
import { subjectsOf } from "./subjects.ts";

interface NatsCancelsOptions {
  readonly link: NatsLink;
  readonly stream: EventStream;
  readonly history: { readonly ttlMs: number };
  readonly clock: Pick<NatsClock, "atMost" | "deadlineIn">;
  readonly telemetry: TelemetryPort;
}

/** Milliseconds that NATS has for a request to cancel. */
const REQUEST_MS = 2_000;

/** Nothing depends on a silence that is shorter, in milliseconds. */
const BEATS_COUNT_MS = 500;

/** Requests to cancel, and signs of life. */
export class NatsCancels {
  readonly heard: NatsHeard;
  readonly #options: NatsCancelsOptions;

  constructor(options: NatsCancelsOptions) {
    this.#options = options;
    this.heard = new NatsHeard(options.link);
  }

  /** As `PubSubPort.requestCancel`. */
  request(channel: string, request: CancelRequest): Promise<"requested" | "ended"> {
    const { stream, history, clock } = this.#options;
    const deadline = clock.deadlineIn(REQUEST_MS);
    return storeCancel(stream, subjectsOf(channel), request, { ttlMs: history.ttlMs, deadline });
  }

  /** As `PubSubPort.signOfLife`. It is noted of a channel without events too: nobody reads that. */
  async signOfLife(channel: string, attemptId?: string): Promise<WorkerAnswer> {
    const { stream, history, clock } = this.#options;
    const subjects = subjectsOf(channel);
    if (attemptId !== undefined) {
      const { kept } = await readHead(stream, subjects, history.ttlMs);
      if (isSuperseded(kept?.course.attempts ?? NO_ATTEMPTS, attemptId)) return {};
    }
    const [kept] = await Promise.all([readCancel(stream, subjects), this.heard.tell(channel)]);
    if (kept === undefined) return {};
    const { kept: head } = await readHead(stream, subjects, history.ttlMs);
    return answerTo(inForce(kept, head, history.ttlMs, clock.atMost()));
  }

  /** The last position of a channel, and when its worker was heard. A beat is looked for only if there was no event for a while. */
  async lastHeard(channel: string, now: number): Promise<Omit<ChannelPosition, "lineage">> {
    const { stream, history } = this.#options;
    const last = await readLastPosition(stream, subjectsOf(channel), history.ttlMs);
    if (last === undefined) return { epoch: "", offset: 0 };
    const { epoch, offset, at, hasEnded } = last;
    const beat = hasEnded || now - at < BEATS_COUNT_MS ? undefined : await this.heard.last(channel);
    return { epoch, offset, heardAt: Math.max(at, beat ?? 0), brokerNow: Math.max(now, at) };
  }

  /**
   * Reads the request of a channel while an append is under way. The answer judges it by the channel after the append. Never
   * rejects, since the append is stored: a worker that is not told now is told by its next event.
   */
  async during(channel: string): Promise<(after: KeptHead | undefined) => Promise<WorkerAnswer>> {
    const { stream, history, clock, telemetry } = this.#options;
    const subjects = subjectsOf(channel);
    const untold = (error: unknown): WorkerAnswer => {
      telemetry.log("debug", "a request to cancel was not read", { reason: reasonOf(error) });
      return {};
    };
    try {
      const kept = await readCancel(stream, subjects);
      if (kept === undefined) return async () => ({});
      return async (after) => {
        try {
          const head = after ?? (await readHead(stream, subjects, history.ttlMs)).kept;
          return answerTo(inForce(kept, head, history.ttlMs, clock.atMost()));
        } catch (error) {
          return untold(error);
        }
      };
    } catch (error) {
      const answer = untold(error);
      return async () => answer;
    }
  }
}

function answerTo(request: CancelRequest | undefined): WorkerAnswer {
  return request === undefined ? {} : { cancelRequested: true };
}
