import type {
  ClientConnectionPort,
  ControlFrame,
  Frame,
} from "../application/ports/client-connection-port.ts";
import { type AnalysisId, parseAnalysisId } from "../domain/channel.ts";
import { CLOSE_CODES } from "../domain/close-code.ts";
import { CombinedPosition } from "../domain/combined-position.ts";
import { type GivenPosition, readPosition } from "../domain/event-position.ts";
import type { Refusal } from "./server-frames.ts";
import type { WatcherRequest } from "./session.ts";
import type { SessionServices } from "./session-services.ts";
import { type StreamAnswer, StreamSession } from "./stream-session.ts";
import { StreamWait } from "./stream-wait.ts";
import { StreamedAnalyses, type WantedAnalyses } from "./streamed-analyses.ts";
import type { SubscribingHost } from "./subscription.ts";

/** A client of a stream cannot subscribe again, so the gateway tries again what it refused for a passing reason. In milliseconds. */
const TRY_AGAIN_MS = 2_000;
const PASSING: ReadonlySet<Refusal> = new Set([
  "broker_unavailable",
  "access_undecided",
  "not_declared",
  "newer_format",
  "internal",
]);

/**
 * One event stream of `/v1/events`: as a socket of `/ws` whose client has subscribed to some analyses and says nothing more. The
 * route has checked the token and the origin.
 */
export class SseManySession extends StreamSession<StreamedAnalyses> implements SubscribingHost {
  /** A stream takes no new token. */
  readonly authenticating = undefined;
  readonly #request: SseManyRequest;
  readonly #end: () => void;
  readonly #watched: StreamedAnalyses;
  readonly #position: CombinedPosition;
  readonly #wanted: WantedAnalyses;
  /** Subscriptions that have not ended. */
  readonly #left: Set<string>;
  #wait: StreamWait | undefined;

  constructor(
    connection: ClientConnectionPort & { end(): void },
    request: SseManyRequest,
    services: SessionServices,
  ) {
    super(connection, services);
    this.#request = request;
    this.#end = () => connection.end();
    this.#position = new CombinedPosition(request.analyses.flatMap(({ id }) => parseAnalysisId(id) ?? []));
    this.#wanted = this.#readWanted();
    this.#left = new Set(this.#wanted.keys());
    this.#watched = new StreamedAnalyses(this, request.grant, this.#wanted);
  }

  /** The position up to which the client was sent all that it is to get of each analysis; opaque to it. */
  get position(): string {
    return this.#position.format((id) => this.#watched.positionOf(id));
  }

  async opened(): Promise<StreamAnswer> {
    return this.open(this.#watched, this.#request, () => this.#begin());
  }

  answer(frame: ControlFrame): void {
    this.writer.sendControl(frame);
  }

  override sent(frame: Frame): void {
    this.#wait?.sent(frame);
  }

  caughtUp(analysisId: AnalysisId): void {
    this.#wait?.settled(analysisId);
  }

  unsubscribed(analysisId: string): void {
    this.#wait?.settled(analysisId);
    this.#left.delete(analysisId);
    if (this.#left.size === 0 && this.#request.untilTerminal) this.close(CLOSE_CODES.finished, "finished");
  }

  refused(analysisId: string, refusal: Refusal): void {
    if (!PASSING.has(refusal)) {
      this.unsubscribed(analysisId);
      return;
    }
    this.#wait?.settled(analysisId);
    this.admission.hold({ end: this.services.clock.after(TRY_AGAIN_MS, () => this.#subscribe(analysisId)) });
  }

  #begin(): void {
    const { waitMs } = this.#request;
    if (waitMs > 0) {
      // A client that takes silence for the end hears of it before.
      const longest = (this.services.settings.heartbeatTimeoutMs * 2) / 3;
      const end = () => {
        this.closed();
        this.#end();
      };
      this.#wait = new StreamWait(this.services.clock, this.#left, Math.min(waitMs, longest), end);
      this.admission.hold(this.#wait);
    }
    // A position names the place of the client on each analysis before the first event of it comes.
    this.#position.format((id) => readable(this.#wanted.get(id)));
    for (const id of this.#wanted.keys()) this.#subscribe(id);
  }

  #subscribe(id: string): void {
    const { mode } = this.#request.replay;
    const last_event_id = this.#position.last(id as AnalysisId) ?? this.#wanted.get(id);
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
  /** The stream ends with its first news, or after so many milliseconds; 0: it does not. */
  readonly waitMs: number;
}

function readable(given: GivenPosition | undefined) {
  return given === "unreadable" ? undefined : given;
}
