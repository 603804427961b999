import { AccessUndecided, faultLevel, NewerFormat, reasonOf, TelltaleError } from "../application/errors.ts";
import type { DeliveryOwner } from "../application/fan-out/delivery-request.ts";
import type { ControlFrame } from "../application/ports/client-connection-port.ts";
import type { Watch } from "../application/watch.ts";
import type { AccessGrant, ViewerList } from "../domain/access-grant.ts";
import type { AnalysisId } from "../domain/channel.ts";
import type { EventPosition } from "../domain/event-position.ts";
import type { SubscribeFrame, SubscriptionFrame } from "./client-frames.ts";
import { caughtUp, type Refusal, subscribed, subscriptionRefused, unsubscribed } from "./server-frames.ts";
import type { Session, Watched } from "./session.ts";
import { countResume } from "./session-services.ts";
import type { WatchQuery } from "./watch-query.ts";

/**
 * One analysis on a socket that watches many. The subscription answers its frames one after the other, so each frame
 * counts for the frames after it.
 */
export class Subscription implements DeliveryOwner {
  readonly #analysisId: AnalysisId;
  readonly #context: SubscriptionContext;
  readonly #waiting: WaitingFrame[] = [];
  #serving = false;
  #strict = false;
  #state: SubscriptionState = { type: "unwatched" };

  constructor(analysisId: AnalysisId, context: SubscriptionContext) {
    this.#analysisId = analysisId;
    this.#context = context;
  }

  take(frame: SubscriptionFrame): void {
    // The frame counts with the token that the client sent before it.
    this.#waiting.push({ frame, after: this.#context.host.authenticating });
    if (!this.#serving) this.#serveAll().catch((error: unknown) => this.failed(error));
  }

  get position(): EventPosition | undefined {
    return this.#state.type === "watching" ? this.#state.watch.position : undefined;
  }

  grantChanged(): void {
    if (this.#state.type === "watching") this.#check(this.#state.watch.viewers);
  }

  /** The connection is over. Leaves nothing behind, at whatever instant. */
  end(): void {
    this.#waiting.length = 0;
    this.#leave({ type: "ended" });
  }

  tooSlow(): void {
    this.#context.host.tooSlow();
  }

  failed(error: unknown): void {
    this.#context.host.failed(error);
  }

  startsAfresh(): void {
    if (this.#strict) this.#refuseAndForget("position_gone");
    else this.#context.host.writer.sendControl(subscribed(this.#analysisId, false, this.#now));
  }

  caughtUp(position: EventPosition): void {
    const { host, query } = this.#context;
    if (query.markers) host.writer.sendControl(caughtUp(this.#analysisId, position, this.#now));
    host.caughtUp?.(this.#analysisId);
  }

  finished(): void {
    this.#unsubscribe();
    this.#forgetIfOver();
  }

  viewersChanged(viewers: ViewerList): void {
    // A watch that is still being prepared is checked before it begins.
    if (this.#state.type === "watching") this.#check(viewers);
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
      if (this.#isEnded) return;
      if (frame.type === "subscribe") await this.#subscribe(frame);
      else this.#unsubscribe();
      this.#context.served();
    }
    this.#serving = false;
    this.#forgetIfOver();
  }

  async #subscribe({ last_event_id, replay, resume }: SubscribeFrame): Promise<void> {
    const { host, query, grant } = this.#context;
    const { untilTerminal, conflates } = query;
    this.#strict = query.strict || resume === "strict";
    const asked = host.services.subscribe.execute({
      analysisId: this.#analysisId,
      grant,
      writer: host.writer,
      owner: this,
      replay: { mode: replay ?? "latest", after: last_event_id },
      untilTerminal,
      conflates,
    });
    // The old watch ends after the new one was asked for, so that an open feed stays open.
    this.#leave({ type: "unwatched" });
    let watch: Watch;
    try {
      const answer = await asked;
      if (answer.type !== "watching") return this.#refuse(answer.type);
      watch = answer.watch;
    } catch (error) {
      return this.#refuse(this.#refusalOf(error));
    }
    if (this.#isEnded) return watch.end();
    if (this.#strict && watch.resumed === false) {
      watch.end();
      return this.#refuse("position_gone");
    }
    this.#state = { type: "watching", watch };
    // Rights and viewers may have changed while the watch was prepared.
    if (!this.#check(watch.viewers)) return;
    host.answer(subscribed(this.#analysisId, watch.resumed, this.#now));
    countResume(host.services.telemetry, watch.resumed);
    watch.begin();
  }

  #unsubscribe(): void {
    this.#leave({ type: "unwatched" });
    this.#context.host.answer(unsubscribed(this.#analysisId, this.#now));
    this.#context.host.unsubscribed?.(this.#analysisId);
  }

  #check(viewers: ViewerList | undefined): boolean {
    const { host, grant } = this.#context;
    const verdict = host.services.access.mayGoOn({ analysisId: this.#analysisId, grant, viewers });
    if (verdict === "allowed") return true;
    this.#refuseAndForget(verdict);
    return false;
  }

  #refuseAndForget(refusal: Refusal): void {
    this.#leave({ type: "unwatched" });
    this.#refuse(refusal);
    this.#forgetIfOver();
  }

  #refuse(refusal: Refusal): void {
    if (this.#isEnded) return;
    const { host } = this.#context;
    host.services.refusals.note(refusal, { connection: host.id, analysis: this.#analysisId });
    host.answer(subscriptionRefused(this.#analysisId, refusal, this.#now));
    host.refused?.(this.#analysisId, refusal);
  }

  #refusalOf(error: unknown): Refusal {
    const expected = error instanceof TelltaleError;
    this.#context.host.services.telemetry.log(faultLevel(error), "an analysis could not be subscribed to", {
      connection: this.#context.host.id,
      analysis: this.#analysisId,
      code: expected ? error.code : "internal",
      message: reasonOf(error),
    });
    if (error instanceof AccessUndecided) return "access_undecided";
    if (error instanceof NewerFormat) return "newer_format";
    return expected ? "broker_unavailable" : "internal";
  }

  get #isEnded(): boolean {
    return this.#state.type === "ended";
  }

  /** Ends the watch, if there is one. Nothing leads out of `ended`. */
  #leave(next: SubscriptionState): void {
    const state = this.#state;
    if (state.type === "ended") return;
    this.#state = next;
    if (state.type === "watching") state.watch.end();
  }

  #forgetIfOver(): void {
    if (!this.#serving && this.#state.type === "unwatched") this.#context.over();
  }
}

/** The socket that a subscription belongs to, and the subscription's place on it. */
export interface SubscriptionContext {
  readonly host: SubscribingHost;
  readonly query: Pick<WatchQuery, "untilTerminal" | "conflates" | "markers" | "strict">;
  /** The rights of the last token. */
  readonly grant: AccessGrant;
  /** The subscription answered a frame. */
  served(): void;
  /** The subscription watches nothing and no frame waits: the socket may forget it. */
  over(): void;
}

/** The session of `/ws`, as its subscriptions see it. */
export interface SubscribingHost
  extends Pick<Session<Watched>, "id" | "writer" | "services" | "tooSlow" | "failed" | "close"> {
  /** Resolves once every `authenticate` received so far was served; undefined if none waits. Never rejects. */
  readonly authenticating: Promise<void> | undefined;
  /** Sends the answer to a frame, or ends the connection if the client leaves too many answers unread. */
  answer(frame: ControlFrame): void;
  /** The replay of the analysis was sent. */
  caughtUp?(analysisId: AnalysisId): void;
  /** The analysis is not watched any more. The client was told. */
  unsubscribed?(analysisId: AnalysisId): void;
  /** The analysis is not watched, or not any more. The client was told. */
  refused?(analysisId: string, refusal: Refusal): void;
}

type SubscriptionState =
  | { readonly type: "unwatched" }
  | { readonly type: "watching"; readonly watch: Watch }
  | { readonly type: "ended" };

interface WaitingFrame {
  readonly frame: SubscriptionFrame;
  /** Resolves once the tokens that came before the frame were verified. */
  readonly after: Promise<void> | undefined;
}
