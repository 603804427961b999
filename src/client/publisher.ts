import { type AnalysisId, parseAnalysisId } from "../domain/channel.ts";
import { Analysis, Cancelled } from "./analysis.ts";
import type { AnalysisOptions } from "./analysis-options.ts";
import { EventRefused } from "./checked-event.ts";
import { environmentVariable } from "./environment-variable.ts";
import { httpWay } from "./http-way.ts";
import { Lanes } from "./lanes.ts";
import {
  type AttemptSettings,
  type PublisherClock,
  type PublisherFetch,
  type PublishRetry,
  sendUntilAnswered,
} from "./publish-attempts.ts";
import { PublishFailed, PublishRefused } from "./publish-errors.ts";
import type {
  ErrorUpdate,
  NoticeToSend,
  PublishableEvent,
  Result,
  ResultUpdate,
  StatusUpdate,
} from "./publishable.ts";
import { toldToRun } from "./told-to-run.ts";
import type { TrackOptions } from "./tracked-items.ts";
import type { Report, WorkerResult } from "./worker-events.ts";

export type {
  AnalysisOptions,
  ErrorUpdate,
  NoticeToSend,
  PublishableEvent,
  PublishRetry,
  Report,
  Result,
  ResultUpdate,
  StatusUpdate,
  TrackOptions,
  WorkerResult,
};
export { Analysis, Cancelled, EventRefused, PublishFailed, PublishRefused };

export interface PublisherOptions {
  /** Address of the gateway, `http:` or `https:`, with any path prefix [the environment's TELLTALE_URL]. */
  readonly url?: string;
  /**
   * With scope `analysis:publish` (`notice:publish` for notices); a function is asked before every try [the environment's
   * TELLTALE_TOKEN].
   */
  readonly token?: string | (() => string | Promise<string>);
  readonly retry?: PublishRetry;
  readonly fetch?: PublisherFetch;
  /** For tests: time and pauses, and the spread of the pauses. */
  readonly clock?: PublisherClock;
  readonly random?: () => number;
}

export interface Published {
  /** In the order of the events sent. */
  readonly eventIds: readonly string[];
  /** An earlier try had already been stored: it counts once. */
  readonly duplicate: boolean;
  /** Somebody has asked for the end of the analysis. Always false for a notice. */
  readonly cancelRequested: boolean;
}

const DEFAULT_RETRY: Required<PublishRetry> = {
  totalMs: 120_000,
  firstPauseMs: 250,
  longestPauseMs: 10_000,
  requestTimeoutMs: 10_000,
};
/** The gateway remembers a key for 5 minutes; a retry beyond would count twice. */
const LONGEST_TOTAL_MS = 240_000;

/**
 * Publishes from server code over HTTP; runs on Node, Bun and Deno.
 *
 * - Events of one analysis are stored in the order of the calls, awaited or not: one request at a time. Analyses do
 *   not wait for one another.
 * - An event is stored at most once, however often it had to be sent.
 * - Every call settles within `retry.totalMs` and one `retry.requestTimeoutMs`: with the event_ids, with
 *   `PublishRefused` (the gateway said no) or with `PublishFailed` (no answer in that time). One that fails holds up
 *   nothing behind it. Arguments that cannot be sent at all are a `TypeError`.
 * - The publisher keeps waiting events in memory: a program that is faster than the gateway must await its calls.
 */
export class TelltalePublisher {
  readonly #base: string;
  readonly #settings: AttemptSettings;
  readonly #lanes = new Lanes();

  constructor(options: PublisherOptions = {}) {
    const token = options.token ?? setting("TELLTALE_TOKEN", "token");
    this.#base = baseAddress(options.url ?? setting("TELLTALE_URL", "url"));
    this.#settings = {
      token: typeof token === "string" ? () => token : token,
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
      clock: options.clock ?? runtimeClock,
      random: options.random ?? Math.random,
      retry: { ...DEFAULT_RETRY, ...options.retry },
    };
    if (!(this.#settings.retry.totalMs <= LONGEST_TOTAL_MS)) {
      throw new RangeError(`retry.totalMs is at most ${LONGEST_TOTAL_MS}`);
    }
  }

  /**
   * Works on an analysis. If `work` throws, the analysis ends as `error`, or as cancelled if that was asked for, and the error is
   * thrown again. If it returns without a result, the analysis ends as completed, or as cancelled. Settles when the events are sent, at most 30 seconds later.
   */
  async run<Outcome>(
    analysisId: string,
    work: (analysis: Analysis) => Outcome | Promise<Outcome>,
    options?: AnalysisOptions,
  ): Promise<Outcome> {
    const analysis = this.analysis(analysisId, options);
    try {
      const outcome = await work(analysis);
      if (!analysis.cancelled) analysis.complete();
      return outcome;
    } catch (error) {
      analysis.fail(error);
      throw error;
    } finally {
      await analysis.close();
    }
  }

  /** An analysis for `await using`, or to be closed by hand. Its end has to be said: see `Analysis.close`. */
  analysis(analysisId: string, options: AnalysisOptions = {}): Analysis {
    const id = checkedId(analysisId);
    const command = toldToRun(id, this.#base);
    const attemptId = options.attemptId ?? command?.attemptId;
    const way = httpWay({
      base: this.#base,
      analysisId: id,
      attemptId,
      settings: this.#settings,
      lanes: this.#lanes,
    });
    const check = options.check ?? /^(?:1|true|on|yes)$/i.test(environmentVariable("TELLTALE_CHECK").trim());
    const named = attemptId === undefined ? { ...options, check } : { ...options, check, attemptId };
    return new Analysis(id, way, named, { onEndSettled: () => command?.ended() });
  }

  sendStatusUpdate(analysisId: string, update: StatusUpdate): Promise<Published> {
    return this.#sendEvents(analysisId, this.#timed({ ...update, event_type: "status_update" }));
  }

  sendResultUpdate(analysisId: string, update: ResultUpdate): Promise<Published> {
    return this.#sendEvents(analysisId, this.#timed({ ...update, event_type: "result_update" }));
  }

  sendResult(analysisId: string, result: Result): Promise<Published> {
    return this.#sendEvents(analysisId, this.#timed({ ...result, event_type: "result" }));
  }

  sendErrorUpdate(analysisId: string, update: ErrorUpdate): Promise<Published> {
    return this.#sendEvents(analysisId, this.#timed({ ...update, event_type: "error" }));
  }

  /** 1 to 500 events in one request: all of them are stored, or none. */
  sendEvents(analysisId: string, events: readonly PublishableEvent[]): Promise<Published> {
    return this.#sendEvents(
      analysisId,
      events.map((event) => this.#timed(event)),
    );
  }

  /** To one user, over all their connections, or to everybody. In order per user. */
  async sendNotice({ userId, ...notice }: NoticeToSend): Promise<Published> {
    const body = userId === undefined ? notice : { user_id: userId, ...notice };
    return readPublished(await this.#send(`notice:${userId ?? ""}`, "POST", "/v1/notices", body));
  }

  /** Says who may watch: these users, or with `"*"` everybody with a valid token. Replaces the list. */
  async declareViewers(analysisId: string, viewers: "*" | readonly string[]): Promise<void> {
    const id = checkedId(analysisId);
    await this.#send(`analysis:${id}`, "PUT", `/v1/analyses/${id}`, { viewers });
  }

  async #sendEvents(analysisId: string, body: unknown): Promise<Published> {
    const id = checkedId(analysisId);
    return readPublished(await this.#send(`analysis:${id}`, "POST", `/v1/analyses/${id}/events`, body));
  }

  #send(lane: string, method: "POST" | "PUT", path: string, body: unknown): Promise<unknown> {
    const request = {
      method,
      url: `${this.#base}${path}`,
      // The body is encoded now, so that every try sends the same also if the caller changes the object later.
      body: JSON.stringify(body),
      headers: method === "POST" ? { "Idempotency-Key": crypto.randomUUID() } : {},
      expects: method === "POST" ? (202 as const) : (204 as const),
    };
    const deadline = this.#settings.clock.now() + this.#settings.retry.totalMs;
    return this.#lanes.run(lane, () => sendUntilAnswered(request, deadline, this.#settings));
  }

  /** With the time of the call: an event that has to wait did not happen later for it. */
  #timed(event: PublishableEvent): PublishableEvent {
    return { ...event, timestamp: event.timestamp ?? new Date(this.#settings.clock.now()) };
  }
}

const runtimeClock: PublisherClock = {
  now: () => Date.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

function setting(name: string, option: string): string {
  const { process } = globalThis as {
    readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
  };
  const value = process?.env?.[name];
  if (value === undefined || value === "") throw new TypeError(`give ${option}, or set ${name}`);
  return value;
}

function baseAddress(text: string): string {
  const { protocol, origin, pathname } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:")
    throw new TypeError("url must begin with http: or https:");
  return `${origin}${pathname.replace(/\/+$/, "")}`;
}

function checkedId(analysisId: string): AnalysisId {
  const id = parseAnalysisId(analysisId);
  if (id === undefined) throw new TypeError("analysisId must be a UUID");
  return id;
}

function readPublished(body: unknown): Published {
  const { event_ids, duplicate, cancel_requested } = (body ?? {}) as Readonly<Record<string, unknown>>;
  return {
    eventIds: Array.isArray(event_ids) ? event_ids.map(String) : [],
    duplicate: duplicate === true,
    cancelRequested: cancel_requested === true,
  };
}
