import type { WatcherGrant } from "../application/grant-of.ts";
import type { OpenConnection } from "../application/open-connections.ts";
import type { ConnectionId } from "../application/ports/client-connection-port.ts";
import type { ReadEvents, ReadEventsAnswer, ReadEventsRequest } from "../application/read-events.ts";
import { CLOSE_CODES, type CloseCode } from "../domain/close-code.ts";
import { Admission, type Refusal } from "./admission.ts";
import { logFault, type SessionServices } from "./session-services.ts";

/** One read with `wait`: a connection like every other as long as it is under way. */
export class WaitingRead implements OpenConnection {
  readonly id: ConnectionId;
  readonly transport = "wait";
  readonly #services: SessionServices;
  readonly #admission: Admission<never>;
  readonly #over = new AbortController();

  constructor(id: ConnectionId, services: SessionServices) {
    this.id = id;
    this.#services = services;
    this.#admission = new Admission(this, services);
  }

  /** Rejects with the errors of `ReadEvents`. Leaves nothing behind, whichever way it ends. */
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
      const { state } = this.#admission;
      if (answer.type === "events") this.#services.deliveries.of("wait").written(answer.texts.length);
      // A reader who has to leave for a drain gets the events that there are.
      return state.type !== "left" || state.code === CLOSE_CODES.goingAway
        ? answer
        : { type: "refused", code: state.refusal };
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
    logFault(this.#services.telemetry, this.id, error);
    this.close(CLOSE_CODES.tryAgainLater);
  }
}

type WaitAnswer = ReadEventsAnswer | { readonly type: "refused"; readonly code: Refusal };
