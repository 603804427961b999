import { NewerFormat, TelltaleError } from "../application/errors.ts";
import type { DeliveryOwner } from "../application/fan-out/delivery.ts";
import { faultLevel } from "../application/fault-level.ts";
import type { ControlFrame } from "../application/ports/client-connection-port.ts";
import { reasonOf } from "../application/reason-of.ts";
import type { Watch } from "../application/watch.ts";
import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import type { AnalysisId } from "../domain/channel.ts";
import type { SubscribeFrame, SubscriptionFrame } from "./client-frames.ts";
import { type Refusal, subscribed, subscriptionRefused, unsubscribed } from "./server-frames.ts";
import type { Session, Watched } from "./session.ts";
import type { WatchQuery } from "./watch-query.ts";

/** The session of `/ws`, as its subscriptions see it. */
export interface SubscribingHost
  extends Pick<Session<Watched>, "id" | "writer" | "services" | "tooSlow" | "failed" | "close"> {
  /** Resolves once every `authenticate` received so far was served; undefined if none waits. Never rejects. */
  readonly authenticating: Promise<void> | undefined;
  /** Sends the answer to a frame, or ends the connection if the client leaves too many answers unread. */
  answer(frame: ControlFrame): void;
}

/** The socket that a subscription belongs to, and its part in it. */
export interface SubscriptionContext {
  readonly host: SubscribingHost;
  readonly query: Pick<WatchQuery, "untilTerminal" | "conflates">;
  /** As the last token said it. */
  readonly grant: AccessGrant;
  /** A frame was answered. */
  served(): void;
  /** Nothing is watched and no frame waits: it may be forgotten. */
  over(): void;
}

/** One analysis among those of a socket. Each frame is answered, in order, and counts for those after it. */
export class Subscription implements DeliveryOwner {
  readonly #analysisId: AnalysisId;
  readonly #context: SubscriptionContext;
  readonly #waiting: WaitingFrame[] = [];
  #serving = false;
  #watch: Watch | undefined;
  #ended = false;

  constructor(analysisId: AnalysisId, context: SubscriptionContext) {
    this.#analysisId = analysisId;
    this.#context = context;
  }

  take(frame: SubscriptionFrame): void {
    // It counts with the token that was sent before it.
    this.#waiting.push({ frame, after: this.#context.host.authenticating });
    if (!this.#serving) this.#serveAll().catch((error: unknown) => this.failed(error));
  }

  grantChanged(): void {
    if (this.#watch !== undefined) this.#check(this.#watch.viewers);
  }

  /** The connection is over. Leaves nothing behind, at whatever instant. */
  end(): void {
    this.#ended = true;
    this.#waiting.length = 0;
    this.#stopWatching();
  }

  tooSlow(): void {
    this.#context.host.tooSlow();
  }

  failed(error: unknown): void {
    this.#context.host.failed(error);
  }

  startsAfresh(): void {
    this.#context.host.writer.sendControl(subscribed(this.#analysisId, false, this.#now));
  }

  finished(): void {
    this.#unsubscribe();
    this.#forgetIfOver();
  }

  viewersChanged(viewers: ViewerList): void {
    // One that is still asked for is looked at when it is answered.
    if (this.#watch !== undefined) this.#check(viewers);
  }

  get #now(): number {
    return this.#context.host.services.clock.now();
  }

  /** Never rejects. */
  async #serveAll(): Promise<void> {
    this.#serving = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { frame, after } = next;
      if (after !== undefined) await after;
      if (this.#ended) return;
      if (frame.type === "subscribe") await this.#subscribe(frame);
      else this.#unsubscribe();
      this.#context.served();
    }
    this.#serving = false;
    this.#forgetIfOver();
  }

  async #subscribe({ last_event_id, replay }: SubscribeFrame): Promise<void> {
    const { host, query, grant } = this.#context;
    const { untilTerminal, conflates } = query;
    const asked = host.services.subscribe.execute({
      analysisId: this.#analysisId,
      grant,
      writer: host.writer,
      owner: this,
      replay: { mode: replay ?? "latest", after: last_event_id },
      untilTerminal,
      conflates,
    });
    // Only now, so that a feed that is open stays open.
    this.#stopWatching();
    let watch: Watch;
    try {
      const answer = await asked;
      if (answer.type !== "watching") return this.#refuse(answer.type);
      watch = answer.watch;
    } catch (error) {
      return this.#refuse(this.#refusalOf(error));
    }
    if (this.#ended) return watch.end();
    this.#watch = watch;
    // Rights and viewers may have changed while it was prepared.
    if (!this.#check(watch.viewers)) return;
    host.answer(subscribed(this.#analysisId, watch.resumed, this.#now));
    watch.begin();
  }

  #unsubscribe(): void {
    this.#stopWatching();
    this.#context.host.answer(unsubscribed(this.#analysisId, this.#now));
  }

  #check(viewers: ViewerList | undefined): boolean {
    const { host, grant } = this.#context;
    const verdict = host.services.subscribe.judge(grant, this.#analysisId, viewers);
    if (verdict === "allowed") return true;
    this.#stopWatching();
    this.#refuse(verdict);
    this.#forgetIfOver();
    return false;
  }

  #refuse(refusal: Refusal): void {
    if (!this.#ended) this.#context.host.answer(subscriptionRefused(this.#analysisId, refusal, this.#now));
  }

  #refusalOf(error: unknown): Refusal {
    const expected = error instanceof TelltaleError;
    this.#context.host.services.telemetry.log(faultLevel(error), "an analysis could not be subscribed to", {
      code: expected ? error.code : "internal",
      message: reasonOf(error),
    });
    if (error instanceof NewerFormat) return "newer_format";
    return expected ? "broker_unavailable" : "internal";
  }

  #stopWatching(): void {
    this.#watch?.end();
    this.#watch = undefined;
  }

  #forgetIfOver(): void {
    if (!this.#serving && this.#watch === undefined && !this.#ended) this.#context.over();
  }
}

interface WaitingFrame {
  readonly frame: SubscriptionFrame;
  readonly after: Promise<void> | undefined;
}
