import type { AnalysisId } from "../domain/channel.ts";
import type { AnalysisOptions } from "./analysis-options.ts";
import { checkEvent, EventRefused, rulesOf } from "./checked-event.ts";
import { environmentVariable } from "./environment-variable.ts";
import type { WorkerClock } from "./event-way.ts";
import type { PublishRefused } from "./publish-errors.ts";
import { wordsOf } from "./thrown-fields.ts";
import { encoded, type Progress, type Report, refusedEndFields, statusFields } from "./worker-events.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Writes the events of one analysis as JSON, with the members that all of them have. */
export class EventTexts {
  readonly #clock: WorkerClock;
  readonly #taskId: string;
  readonly #common: Fields;
  readonly #check: ((text: string) => void) | undefined;

  constructor(
    id: AnalysisId,
    { taskId = id, attemptId, check = false }: AnalysisOptions,
    clock: WorkerClock,
  ) {
    this.#clock = clock;
    this.#taskId = taskId;
    this.#common = { analysis_id: id, ...(attemptId === undefined ? {} : { attempt_id: attemptId }) };
    const rules = check ? rulesOf(environmentVariable("STAGES")) : undefined;
    this.#check = rules && ((text) => checkEvent(text, id, rules));
  }

  /** Throws what a getter of the report throws, a `TypeError` if it is no JSON, and with `check` an `EventRefused`. */
  status(at: Progress, report: Report): string {
    const text = this.#event(this.statusFields(at, report));
    this.#check?.(text);
    return text;
  }

  statusFields(at: Progress, report: Report): Fields {
    return { task_id: this.#taskId, ...statusFields(at, report), event_type: "status_update" };
  }

  /** An end of this type; an `error` if it is no JSON. Throws only if it is `checked`: an `EventRefused`. */
  end(type: string, fields: () => Fields, checked: boolean): string {
    const check = checked ? this.#check : undefined;
    let text: string;
    try {
      text = this.#event(fields());
    } catch (error) {
      const message = `is no JSON: ${wordsOf(error)}`;
      if (check !== undefined) throw new EventRefused(type, [{ path: [], message }]);
      return this.insteadOf(type, { message, issues: [] });
    }
    check?.(text);
    return text;
  }

  /** The `error` that takes the place of an end of this type, which was refused. */
  insteadOf(type: string, refusal: Pick<PublishRefused, "message" | "issues">): string {
    return this.#event({ ...refusedEndFields(type, refusal), event_type: "error" });
  }

  #event(fields: Fields): string {
    return encoded({ timestamp: new Date(this.#clock.now()), ...fields, ...this.#common });
  }
}
