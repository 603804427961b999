import { EventOutbox, type WaitingEvent } from "./event-outbox.ts";
import { type EventWay, type WorkerClock, workerClock } from "./event-way.ts";
import type { PublishRefused } from "./publish-errors.ts";
import { ReportThrottle } from "./report-throttle.ts";
import { sizeOf, TrackedItems, type TrackOptions } from "./tracked-items.ts";
import {
  afterReport,
  encoded,
  errorFields,
  type Progress,
  type Report,
  refusedEndFields,
  resultFields,
  statusFields,
  type WorkerResult,
} from "./worker-events.ts";

export interface AnalysisOptions {
  /** The `task_id` of its events; the id of the analysis if left out. */
  readonly taskId?: string;
  /** Names this run of the worker, 1 to 64 characters: events of an earlier run are refused from its first event on. */
  readonly attemptId?: string;
  /** The stage until one is reported [initializing]. */
  readonly stage?: string;
  /** Asked before each beat, for work that another process does: while it answers false the gateway hears of nobody. */
  readonly isAlive?: () => boolean;
  /** Takes one line for whoever runs the worker: what was refused or dropped, and that the gateway is away [console.warn]. */
  readonly log?: (line: string) => void;
}

/** Thrown by `track` if somebody asked for the end of the analysis; the reason of `signal`. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
  readonly code = "cancelled";
}

/** The longest that `close` waits for the gateway. */
const PATIENCE_MS = 30_000;

/**
 * An analysis that this process works on. Its events are sent beside the work, in order: nothing here throws because the
 * gateway is away or refuses. While it is open, the gateway hears of it at least every ten seconds.
 */
export class Analysis {
  /** In lower case. */
  readonly id: string;
  readonly #clock: WorkerClock;
  readonly #common: Readonly<Record<string, unknown>>;
  readonly #taskId: string;
  readonly #outbox: EventOutbox;
  readonly #reports: ReportThrottle<WaitingEvent & { readonly stage: string }>;
  readonly #cancel = new AbortController();
  readonly #startedAt: number;
  readonly #log: (line: string) => void;
  #at: Progress;
  #hasEnded = false;
  #refusedAnEnd = false;
  #hasLeftOutReport = false;

  constructor(
    id: string,
    way: EventWay,
    options: AnalysisOptions = {},
    { clock = workerClock, random = Math.random }: { clock?: WorkerClock; random?: () => number } = {},
  ) {
    const log = options.log ?? ((line) => console.warn(line));
    this.id = id;
    this.#log = (line) => log(`telltale: analysis ${id}: ${line}`);
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#taskId = options.taskId ?? id;
    this.#common = {
      analysis_id: id,
      ...(options.attemptId === undefined ? {} : { attempt_id: options.attemptId }),
    };
    this.#at = { stage: options.stage ?? "initializing", progress: 0 };
    this.#outbox = new EventOutbox({
      way,
      clock,
      random,
      isAlive: options.isAlive ?? (() => true),
      log: this.#log,
      onCancel: () => this.#cancel.abort(new Cancelled("somebody asked for the end of the analysis")),
      onRefusedEnd: (end, error) => this.#refusedEnd(end, error),
    });
    this.#reports = new ReportThrottle(clock, (event) => this.#outbox.add(event));
  }

  /** Whether somebody asked for the end of the analysis. The worker hears of it with the answer to an event or a beat. */
  get cancelled(): boolean {
    return this.signal.aborted;
  }

  /** Aborted with `Cancelled` if somebody asks for the end of the analysis: for `fetch`, child processes and the like. */
  get signal(): AbortSignal {
    return this.#cancel.signal;
  }

  /** Whether its end was said: a result, `complete`, or `fail`. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * Says how far the analysis is. At most ten reports a second of one stage are sent, always the last one. After the end of the
   * analysis a report does nothing, since it would open it again.
   */
  report(report: Report): void {
    if (this.#hasEnded) return;
    this.#at = afterReport(this.#at, report);
    const { stage } = this.#at;
    try {
      this.#reports.offer({ kind: "status", stage, text: this.#status(this.#at, report) });
    } catch (error) {
      // It refers to itself, or a getter throws: no reason to end the work. A loop repeats the same fault.
      const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
      if (!this.#hasLeftOutReport) this.#log(`a report was left out, since it is no JSON: ${why}`);
      this.#hasLeftOutReport = true;
    }
  }

  /**
   * The same items, counted in reports while a loop takes them. `for await … of` lets events out as it goes; `for … of` only
   * while its body awaits something. Throws `Cancelled` at the next item if somebody asked for the end of the analysis.
   */
  track<Item>(items: Iterable<Item>, options?: TrackOptions): Iterable<Item> & AsyncIterable<Item>;
  track<Item>(items: AsyncIterable<Item>, options?: TrackOptions): AsyncIterable<Item>;
  track<Item>(
    items: Iterable<Item> | AsyncIterable<Item>,
    { total = sizeOf(items), ...fixed }: TrackOptions = {},
  ): Iterable<Item> & AsyncIterable<Item> {
    return new TrackedItems(items, {
      clock: this.#clock,
      check: () => this.signal.throwIfAborted(),
      report: (current) => this.report({ ...fixed, current, ...(total === undefined ? {} : { total }) }),
    });
  }

  /** Ends the analysis with a verdict (`confidence_score`, `is_fake`, …), or with any other result as `data`. */
  result(result: WorkerResult): void {
    this.#endWith(resultFields(result, this.#at, this.#elapsed));
  }

  /**
   * Publishes an event that is spelled as on the wire. A status_update is a report, unless its stage ends the analysis; fields that are
   * left out are those that `report` and `result` would send.
   */
  publish({ event_type, ...fields }: Readonly<Record<string, unknown>>): void {
    if (event_type !== "status_update") {
      const isResult = event_type === "result" || event_type === "result_update";
      const whole = isResult ? resultFields(fields as WorkerResult, this.#at, this.#elapsed) : fields;
      this.#endWith({ ...whole, event_type });
      return;
    }
    const { current_stage: stage, ...report } = fields as Report & { readonly current_stage?: string };
    const given = stage === undefined ? report : { ...report, stage };
    if (stage !== "completed" && stage !== "failed" && stage !== "cancelled") this.report(given);
    else this.#endAs(stage, given);
  }

  /** Ends the analysis as completed, without a result. */
  complete(message = "completed"): void {
    if (this.#hasEnded) return;
    this.#endAs("completed", { progress: 1, message });
  }

  /** Ends the analysis as failed, or as cancelled if `thrown` comes of that. */
  fail(thrown: unknown): void {
    if (this.#comesOfCancel(thrown)) this.#endAs("cancelled", { message: "cancelled" });
    else this.#endWith({ ...errorFields(thrown), event_type: "error" });
  }

  /**
   * Sends what waits, for at most 30 seconds, and is done with the analysis. If its end was not said, it ends as cancelled if
   * that was asked for, else as an `error` with code `worker_ended`: nobody knows then that all went well.
   */
  async close(): Promise<void> {
    if (this.cancelled && !this.#hasEnded) this.fail(this.signal.reason);
    if (!this.#hasEnded) this.fail(new WorkerEnded("the worker ended without a result"));
    await this.#outbox.close(PATIENCE_MS);
  }

  /** For `await using`, which does not tell whether its block has thrown: say the end before. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #comesOfCancel(thrown: unknown): boolean {
    if (thrown instanceof Cancelled) return true;
    // `fetch` and the like reject with an error of their own, or with the reason of the signal.
    return this.cancelled && thrown instanceof Error && thrown.name === "AbortError";
  }

  get #elapsed(): number {
    return this.#clock.now() - this.#startedAt;
  }

  #endAs(stage: "completed" | "failed" | "cancelled", report: Report): void {
    const at = { ...afterReport(this.#at, report), stage };
    this.#send(this.#status(at, report));
  }

  #endWith(fields: Readonly<Record<string, unknown>>): void {
    this.#send(this.#event(fields));
  }

  #send(text: string): void {
    this.#reports.flush();
    this.#hasEnded = true;
    this.#outbox.add({ kind: "end", text });
  }

  #status(at: Progress, report: Report): string {
    return this.#event({ task_id: this.#taskId, ...statusFields(at, report), event_type: "status_update" });
  }

  #event(fields: Readonly<Record<string, unknown>>): string {
    return encoded({ timestamp: new Date(this.#clock.now()), ...fields, ...this.#common });
  }

  /** Somebody would wait for ever for the end of an analysis whose end was refused. */
  #refusedEnd(end: WaitingEvent, refusal: PublishRefused): WaitingEvent | undefined {
    if (this.#refusedAnEnd || refusal.code.startsWith("attempt_")) return undefined;
    this.#refusedAnEnd = true;
    return {
      kind: "end",
      text: this.#event({ ...refusedEndFields(end.text, refusal), event_type: "error" }),
    };
  }
}

class WorkerEnded extends Error {
  override readonly name = "WorkerEnded";
  readonly code = "worker_ended";
}
