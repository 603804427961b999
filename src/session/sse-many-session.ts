import type { ClientConnectionPort, ControlFrame } from "../application/ports/client-connection-port.ts";
import { type AnalysisId, parseAnalysisId } from "../domain/channel.ts";
import { CLOSE_CODES } from "../domain/close-code.ts";
import { CombinedPosition } from "../domain/combined-position.ts";
import { type GivenPosition, readPosition } from "../domain/event-position.ts";
import { ManyAnalyses } from "./many-analyses.ts";
import type { WatcherRequest } from "./session.ts";
import type { SessionServices } from "./session-services.ts";
import { type StreamAnswer, StreamSession } from "./stream-session.ts";
import type { SubscribingHost } from "./subscription.ts";

/**
 * One event stream of `/v1/events`: as a socket of `/ws` whose client has subscribed to some analyses and says nothing more. The
 * route has checked the token and the origin.
 */
export class SseManySession extends StreamSession<ManyAnalyses> implements SubscribingHost {
  /** A stream takes no new token. */
  readonly authenticating = undefined;
  readonly #request: SseManyRequest;
  readonly #watched: ManyAnalyses;
  readonly #position: CombinedPosition;
  readonly #wanted: ReadonlyMap<string, GivenPosition | undefined>;
  /** Subscriptions that have not ended. */
  #left: number;

  constructor(connection: ClientConnectionPort, request: SseManyRequest, services: SessionServices) {
    super(connection, services);
    this.#request = request;
    this.#watched = new ManyAnalyses(this, request.grant);
    this.#position = new CombinedPosition(request.analyses.flatMap(({ id }) => parseAnalysisId(id) ?? []));
    this.#wanted = this.#readWanted();
    this.#left = this.#wanted.size;
  }

  /** The position up to which the client was sent all that it is to get of each analysis; opaque to it. */
  get position(): string {
    return this.#position.format((id) => this.#watched.positionOf(id));
  }

  async opened(): Promise<StreamAnswer> {
    return this.open(this.#watched, this.#request, () => this.#subscribe());
  }

  answer(frame: ControlFrame): void {
    this.writer.sendControl(frame);
    if (frame.kind !== "unsubscribed" && frame.kind !== "subscription_refused") return;
    this.#left--;
    if (this.#left === 0 && this.#request.untilTerminal) this.close(CLOSE_CODES.finished, "finished");
  }

  #subscribe(): void {
    // A position names the place of the client on each analysis before the first event of it comes.
    this.#position.format((id) => readable(this.#wanted.get(id)));
    const { mode } = this.#request.replay;
    for (const [id, last_event_id] of this.#wanted)
      this.#watched.take({ type: "subscribe", analysis_id: id, last_event_id, replay: mode });
  }

  /** Every analysis once, with the position to go on from: of the client that comes back, else of the request. */
  #readWanted(): Map<string, GivenPosition | undefined> {
    const { analyses, lastEventId } = this.#request;
    const combined = lastEventId === "" ? new Map() : this.#position.read(lastEventId);
    return new Map(
      analyses.map(({ id, after }) => {
        const analysisId = parseAnalysisId(id);
        return [analysisId ?? id, combined.get(analysisId as AnalysisId) ?? readPosition(after)];
      }),
    );
  }
}

export interface SseManyRequest extends WatcherRequest {
  /** As the client gave them: `id` may be no UUID, and `after` no position. */
  readonly analyses: readonly { readonly id: string; readonly after: string }[];
  /** The position over all of them; empty if the client gave none. */
  readonly lastEventId: string;
}

function readable(given: GivenPosition | undefined) {
  return given === "unreadable" ? undefined : given;
}
