import type { ClientConnectionPort } from "../application/ports/client-connection-port.ts";
import type { AnalysisId } from "../domain/channel.ts";
import { OneAnalysis } from "./one-analysis.ts";
import type { WatcherRequest } from "./session.ts";
import type { SessionServices } from "./session-services.ts";
import { type StreamAnswer, StreamSession } from "./stream-session.ts";

/** One event stream of `/v1/analyses/{id}/events`. The route has checked the token and the origin. */
export class SseSession extends StreamSession<OneAnalysis> {
  readonly #request: SseRequest;

  constructor(connection: ClientConnectionPort, request: SseRequest, services: SessionServices) {
    super(connection, services);
    this.#request = request;
  }

  async opened(): Promise<StreamAnswer> {
    const { analysisId, grant } = this.#request;
    return this.open(new OneAnalysis(this, analysisId, grant), this.#request);
  }
}

export interface SseRequest extends WatcherRequest {
  readonly analysisId: AnalysisId;
}
