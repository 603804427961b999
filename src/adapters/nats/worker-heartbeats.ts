import type { Msg } from "@nats-io/transport-node";
import { reasonOf } from "../../application/errors.ts";
import type { WorkerAnswer } from "../../application/ports/pub-sub-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { readBeat } from "../../domain/beat.ts";
import { type AnalysisChannel, analysisChannel, parseAnalysisId } from "../../domain/channel.ts";
import type { NatsLink } from "./nats-link.ts";

const SUBJECT = "telltale.heartbeat.";
/** One gateway of all answers each request. */
const QUEUE = "telltale";
/** A gateway that answers so many at once leaves the others unanswered: their workers ask again. */
const MOST_AT_ONCE = 200;

interface HeartbeatParts {
  /** As `PubSubPort.signOfLife`. */
  readonly signOfLife: (channel: AnalysisChannel, attemptId?: string) => Promise<WorkerAnswer>;
  readonly telemetry: TelemetryPort;
}

/** Answers the requests on `telltale.heartbeat.{analysis_id}`, by which workers without HTTP show that they live and learn of a cancel. */
export class WorkerHeartbeats {
  readonly #parts: HeartbeatParts;
  #answering = 0;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
  }

  /** To be called on each new connection; the subscription ends with it. */
  listen(link: NatsLink): void {
    const heard = (error: Error | null, message: Msg) => {
      if (error === null) void this.#answer(message);
      else
        this.#parts.telemetry.log("warn", "heartbeats of workers are not heard", { reason: error.message });
    };
    link.subscribe(`${SUBJECT}*`, heard, { queue: QUEUE });
  }

  /** Never rejects: a worker without an answer asks again. */
  async #answer(message: Msg): Promise<void> {
    const { telemetry, signOfLife } = this.#parts;
    const id = parseAnalysisId(message.subject.slice(SUBJECT.length));
    if (id === undefined) return void message.respond(JSON.stringify({ code: "not_an_analysis_id" }));
    const beat = readBeat(message.string());
    if (!beat.ok) {
      const { ok: _, ...problem } = beat;
      return void message.respond(JSON.stringify(problem));
    }
    if (this.#answering >= MOST_AT_ONCE) return;
    this.#answering++;
    try {
      const { cancelRequested = false } = await signOfLife(analysisChannel(id), beat.attemptId);
      message.respond(JSON.stringify({ cancel_requested: cancelRequested }));
    } catch (error) {
      telemetry.log("debug", "a heartbeat was not answered", { reason: reasonOf(error) });
    } finally {
      this.#answering--;
    }
  }
}
