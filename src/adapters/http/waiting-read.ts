import type { WatcherGrant } from "../../application/grant-of.ts";
import type { OpenConnection } from "../../application/open-connections.ts";
import type { ReadEvents, ReadEventsAnswer, ReadEventsRequest } from "../../application/read-events.ts";
import { CLOSE_CODES, type CloseCode } from "../../domain/close-code.ts";
import { Admission, type Refusal, refusalOf } from "../../session/admission.ts";
import { logFault } from "../../session/session-fault.ts";
import type { SessionServices } from "../../session/session-services.ts";

export type WaitAnswer = ReadEventsAnswer | { readonly type: "refused"; readonly code: Refusal };

/** One read with `wait`: for as long as it is out it is a connection like every other. */
export class WaitingRead implements OpenConnection {
  readonly id = crypto.randomUUID();
  readonly #services: SessionServices;
  readonly #admission: Admission;
  readonly #over = new AbortController();

  constructor(services: SessionServices) {
    this.#services = services;
    this.#admission = new Admission(this, services);
  }

  /** Rejects as `ReadEvents` does. Leaves nothing behind, whichever way it ends. */
  async answer(
    reading: ReadEvents,
    holder: WatcherGrant,
    request: Omit<ReadEventsRequest, "grant">,
  ): Promise<WaitAnswer> {
    const refusal = this.#admission.enter(holder);
    if (refusal !== undefined) return { type: "refused", code: refusal };
    const { registry } = this.#services;
    registry.countSubscription(this.id);
    registry.watch(this.id, request.analysisId);
    try {
      const abandoned = AbortSignal.any([request.abandoned, this.#over.signal]);
      const answer = await reading.execute({ ...request, grant: holder.grant, abandoned });
      const { why } = this.#admission;
      // Who has to leave for a drain gets what there is.
      return why === undefined || why === CLOSE_CODES.goingAway
        ? answer
        : { type: "refused", code: refusalOf(why) };
    } finally {
      this.#admission.gone();
    }
  }

  close(code: CloseCode): void {
    this.#admission.leave(code);
    this.#over.abort();
  }

  /** Its own time ends it: until then it has nothing to say and nothing to take. */
  progresses(): boolean {
    return true;
  }

  failed(error: unknown): void {
    logFault(this.#services.telemetry, error);
    this.close(CLOSE_CODES.tryAgainLater);
  }
}
