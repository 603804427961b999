import { type ProblemCode, statusOf, titleOf } from "../../adapters/http/problem.ts";
import { INVALID } from "../../adapters/http/publish-routes.ts";
import type { BroadcastEvent } from "../../application/broadcast-event.ts";
import type { DeclareViewers } from "../../application/declare-viewers.ts";
import { BrokerUnavailable, RequestTooLarge } from "../../application/errors.ts";
import { type PublishIssue, PublishRefused } from "../../client/publish-errors.ts";
import type { PublishableEvent } from "../../client/publishable.ts";
import { type AnalysisId, analysisChannel, parseAnalysisId } from "../../domain/channel.ts";

export interface PublishOptions {
  /** A repeat within 5 minutes stores nothing and resolves with the ids of the first. 1 to 200 characters. */
  readonly idempotencyKey?: string;
}

export interface PublishedInProcess {
  /** In the order of the events. */
  readonly eventIds: readonly string[];
  /** Whether they had been stored before, under the same key. */
  readonly duplicate: boolean;
}

interface UseCases {
  readonly broadcast: BroadcastEvent;
  readonly declareViewers: DeclareViewers;
}

/** Publishes without HTTP, by the same rules and with the same errors as `telltale/publisher`. */
export class InProcessPublisher {
  readonly #useCases: UseCases;
  #ended = false;

  constructor(useCases: UseCases) {
    this.#useCases = useCases;
  }

  /** As `Telltale.publish`. */
  async publish(
    analysisId: string,
    events: PublishableEvent | readonly PublishableEvent[],
    { idempotencyKey }: PublishOptions = {},
  ): Promise<PublishedInProcess> {
    const channel = analysisChannel(this.#analysisOf(analysisId));
    if (idempotencyKey !== undefined && (idempotencyKey.length < 1 || idempotencyKey.length > 200))
      throw refusal("invalid_idempotency_key");
    const text = textOf(events);
    try {
      const answer = await this.#useCases.broadcast.execute(channel, text, idempotencyKey);
      if (answer.type === "invalid") throw refusal(INVALID[answer.reason], answer.issues);
      if (answer.type === "refused")
        throw refusal(answer.code, [{ path: [answer.index], message: titleOf(answer.code) }]);
      const { eventIds, duplicate } = answer;
      return { eventIds, duplicate };
    } catch (error) {
      if (error instanceof RequestTooLarge)
        throw refusal("event_too_large", [{ path: [], message: error.message }]);
      throw error;
    }
  }

  /** As `Telltale.declareViewers`. */
  async declareViewers(analysisId: string, viewers: "*" | readonly string[]): Promise<void> {
    const id = this.#analysisOf(analysisId);
    const answer = await this.#useCases.declareViewers.execute(id, textOf({ viewers }));
    if (answer.type === "invalid")
      throw refusal(answer.reason === "not_json" ? "not_json" : "invalid_viewers", answer.issues);
  }

  /** Refuses everything from here on: the broker is closed. */
  end(): void {
    this.#ended = true;
  }

  #analysisOf(text: string): AnalysisId {
    if (this.#ended) throw new BrokerUnavailable("the gateway has ended");
    const id = parseAnalysisId(text);
    if (id === undefined) throw refusal("not_an_analysis_id");
    return id;
  }
}

/** JSON, as it would be sent. Throws `PublishRefused` for a value that is none, such as a circle. */
function textOf(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  if (text === undefined) throw refusal("not_json");
  return text;
}

function refusal(code: ProblemCode, issues: readonly PublishIssue[] = []): PublishRefused {
  const faults = issues.map(({ path, message }) => `${path.join(".") || "the whole"} ${message}`).join("; ");
  const message = faults === "" ? titleOf(code) : `${titleOf(code)}: ${faults}`;
  return new PublishRefused(message, { code, status: statusOf(code), issues });
}
