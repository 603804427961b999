import { type EndStatus, isEnd } from "../domain/analysis-state.ts";
import type { AnalysisId } from "../domain/channel.ts";
import type { AnalysisOptions } from "./analysis-options.ts";
import { EventRefused } from "./checked-event.ts";
import { EventOutbox } from "./event-outbox.ts";
import { EventTexts } from "./event-texts.ts";
import { type EventWay, type WorkerClock, workerClock } from "./event-way.ts";
import { type End, FirstEnd } from "./first-end.ts";
import { NamedStages } from "./named-stages.ts";
import type { PublishRefused } from "./publish-errors.ts";
import { ReportThrottle } from "./report-throttle.ts";
import { errorFields, isAbort, isOf, wordsOf } from "./thrown-fields.ts";
import { sizeOf, TrackedItems, type TrackOptions } from "./tracked-items.ts";
import type { WaitingEvent } from "./waiting-events.ts";
import { afterReport, type Progress, type Report, resultFields, type WorkerResult } from "./worker-events.ts";

/** Thrown by `track` if somebody asked for the end of the analysis; the reason of `signal`. */
export class Cancelled extends Error {
  override readonly name = "Cancelled";
  readonly code = "cancelled";
}

/** The longest that `close` waits for the gateway. */
const PATIENCE_MS = 30_000;

interface AnalysisParts {
  readonly clock?: WorkerClock;
  readonly random?: () => number;
  /** Called when an end is stored, or was refused for good. */
  readonly onEndSettled?: () => void;
}

/**
 * An analysis that this process works on. Its events are sent beside the work, in order: nothing here throws because the
 * gateway is away or refuses. The first end that is said counts. While it is open, the gateway hears of it at least every ten seconds.
 */
export class Analysis {
  /** In lower case. */
  readonly id: string;
  readonly #clock: WorkerClock;
  readonly #texts: EventTexts;
  readonly #outbox: EventOutbox;
  readonly #reports: ReportThrottle<WaitingEvent & { readonly stage: string }>;
  readonly #cancel = new AbortController();
  readonly #startedAt: number;
  readonly #log: (line: string) => void;
  readonly #end = new FirstEnd();
  readonly #stages: NamedStages;
  #at: Progress;
  #refusedAnEnd = false;
  #hasLeftOutReport = false;

  constructor(
    id: AnalysisId,
    way: EventWay,
    options: AnalysisOptions = {},
    { clock = workerClock, random = Math.random, onEndSettled = () => {} }: AnalysisParts = {},
  ) {
    this.id = id;
    this.#log = logOf(id, options.log);
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#texts = new EventTexts(id, options, clock);
    this.#at = { stage: options.stage ?? "initializing", progress: 0 };
    this.#stages = new NamedStages(this.#at.stage);
    this.#outbox = new EventOutbox({
      way,
      clock,
      random,
      isAlive: options.isAlive ?? (() => true),
      log: this.#log,
      onCancel: () => this.#cancel.abort(new Cancelled("somebody asked for the end of the analysis")),
      onRefusedStage: (stage) => this.#refusedStage(stage),
      onRefusedEnd: (end, error) => this.#insteadOfEnd(end, error),
      onEndSettled,
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
    return this.#end.isSaid;
  }

  /**
   * Says how far the analysis is. At most ten reports a second of one stage are sent, always the last one. After the end of the
   * analysis a report does nothing, since it would open it again. Stage `completed`, `failed` or `cancelled` is an end.
   */
  report(given: Report): void {
    try {
      const report = this.#stages.without(given);
      const { stage } = report;
      if (isEnd(stage)) {
        this.#endAs(stage, report);
        return;
      }
      if (this.hasEnded) return;
      const at = afterReport(this.#at, report);
      const text = this.#texts.status(at, report);
      this.#at = at;
      this.#stages.at(at.stage);
      this.#reports.offer({ kind: "status", stage: at.stage, text });
    } catch (error) {
      if (error instanceof EventRefused) throw error;
      // It is none, refers to itself, or a getter throws: no reason to end the work. A loop repeats the same fault.
      if (!this.#hasLeftOutReport) this.#log(`a report was left out, since it is no JSON: ${wordsOf(error)}`);
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
    this.#endWith("result", "result", () => resultFields(result, this.#at, this.#elapsed));
  }

  /**
   * Publishes an event that is spelled as on the wire. A status_update is a report, unless its stage ends the analysis; fields that are
   * left out are those that `report` and `result` would send.
   */
  publish(event: Readonly<Record<string, unknown>>): void {
    const type: unknown = event?.event_type;
    if (type === "status_update") {
      const { event_type: _, current_stage: stage, ...report } = event;
      this.report((stage === undefined ? report : { ...report, stage }) as Report);
      return;
    }
    const end = type === "result" || type === "result_update" ? "result" : "error";
    this.#endWith(end, String(type), () => {
      const whole = end === "error" ? event : resultFields(event as WorkerResult, this.#at, this.#elapsed);
      return { ...whole, event_type: type };
    });
  }

  /** Ends the analysis as completed, without a result. */
  complete(message = "completed"): void {
    if (!this.hasEnded) this.#endAs("completed", { progress: 1, message });
  }

  /** Ends the analysis as failed, or as cancelled if `thrown` comes of that. Never throws. */
  fail(thrown: unknown): void {
    const comesOfCancel = isOf(Cancelled, thrown) || (this.cancelled && isAbort(thrown));
    if (comesOfCancel) this.#endAs("cancelled", { message: "cancelled" }, "unchecked");
    else
      this.#endWith("error", "error", () => ({ ...errorFields(thrown), event_type: "error" }), "unchecked");
  }

  /** Sends what waits, as `close`, and says no end: somebody else has said it. */
  leave(): Promise<void> {
    return this.#outbox.close(PATIENCE_MS);
  }

  /** Sends no report from now on: somebody else tells how far the analysis is. An end is sent all the same, and it goes on to beat. */
  withdraw(): void {
    this.#outbox.withdraw();
  }

  /**
   * Sends what waits, for at most 30 seconds, and is done with the analysis. If its end was not said, it ends as cancelled if
   * that was asked for, else as an `error` with code `worker_ended`: nobody knows then that all went well.
   */
  async close(): Promise<void> {
    if (this.cancelled && !this.hasEnded) this.fail(this.signal.reason);
    if (!this.hasEnded) this.fail(new WorkerEnded("the worker ended without a result"));
    await this.#outbox.close(PATIENCE_MS);
  }

  /** For `await using`, which does not tell whether its block has thrown: say the end before. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #elapsed(): number {
    return this.#clock.now() - this.#startedAt;
  }

  #endAs(stage: EndStatus, report: Report, how?: "unchecked"): void {
    const fields = () => this.#texts.statusFields({ ...afterReport(this.#at, report), stage }, report);
    this.#endWith(stage, "status_update", fields, how);
  }

  /** An end of this type. */
  #endWith(end: End, type: string, fields: () => Readonly<Record<string, unknown>>, how?: "unchecked"): void {
    const text = this.#texts.end(type, fields, how === undefined);
    if (!this.#end.counts(end)) {
      this.#log(`a later end (${type}) was left out: the first one counts`);
      return;
    }
    this.#reports.flush();
    this.#outbox.add({ kind: "end", text });
  }

  /** The reports behind it need not be refused for it as well. */
  #refusedStage(stage: unknown): void {
    this.#stages.refuse(stage);
    this.#at = { ...this.#at, stage: this.#stages.last };
  }

  /** Somebody would wait for ever for the end of an analysis whose end was refused. */
  #insteadOfEnd({ text }: WaitingEvent, refusal: PublishRefused): WaitingEvent | undefined {
    if (this.#refusedAnEnd || refusal.code.startsWith("attempt_")) return undefined;
    this.#refusedAnEnd = true;
    const { event_type } = JSON.parse(text) as { readonly event_type?: unknown };
    return { kind: "end", text: this.#texts.insteadOf(String(event_type), refusal) };
  }
}

class WorkerEnded extends Error {
  override readonly name = "WorkerEnded";
  readonly code = "worker_ended";
}

/** A log of somebody else's that throws must not end the work either. */
function logOf(id: AnalysisId, log: (line: string) => void = (line) => console.warn(line)) {
  return (line: string) => {
    try {
      log(`telltale: analysis ${id}: ${line}`);
    } catch (error) {
      console.warn(`telltale: its log throws: ${wordsOf(error)}`);
    }
  };
}
