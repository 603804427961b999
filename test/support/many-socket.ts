import { type Frame, WatchingSocket } from "./watching-socket.ts";

/** A client of `/ws`, that says what it wants to watch. */
export class ManySocket extends WatchingSocket {
  constructor(gatewayUrl: string, query: Record<string, string>) {
    super(`${gatewayUrl.replace("http", "ws")}/ws?${new URLSearchParams(query)}`);
  }

  subscribe(analysisId: string, fields: object = {}): void {
    this.send({ type: "subscribe", analysis_id: analysisId, ...fields });
  }

  unsubscribe(analysisId: string): void {
    this.send({ type: "unsubscribe", analysis_id: analysisId });
  }

  /** All that came about one analysis. */
  of(analysisId: string): Frame[] {
    return this.frames.filter((frame) => frame.analysis_id === analysisId);
  }

  /** The first frame of a type about one analysis. */
  untilOf(analysisId: string, eventType: string): Promise<Frame> {
    return this.until((frame) => frame.analysis_id === analysisId && frame.event_type === eventType);
  }
}
