import type { AccessGrant } from "../domain/access-grant.ts";
import { type AnalysisId, parseAnalysisId } from "../domain/channel.ts";
import { CLOSE_CODES } from "../domain/close-code.ts";
import type { EventPosition } from "../domain/event-position.ts";
import type { SubscriptionFrame } from "./client-frames.ts";
import { subscriptionRefused, unsubscribed } from "./server-frames.ts";
import type { Watched } from "./session.ts";
import { type SubscribingHost, Subscription, type SubscriptionContext } from "./subscription.ts";
import type { WatchQuery } from "./watch-query.ts";

/** The most analyses that one socket watches. */
const MOST_SUBSCRIPTIONS = 1_000;
/** The most frames that wait for their answer: a socket may subscribe to everything and unsubscribe again. */
const MOST_WAITING_FRAMES = 2 * MOST_SUBSCRIPTIONS;

const NO_QUERY = { untilTerminal: false, conflates: true, markers: false, strict: false };

/** The analyses that the frames of one `/ws` name. No analysis notices what becomes of another. */
export class ManyAnalyses implements Watched {
  readonly type = "many";
  readonly analysisId = null;
  readonly resumed = null;
  readonly #host: SubscribingHost;
  #query: SubscriptionContext["query"] = NO_QUERY;
  readonly #subscriptions = new Map<AnalysisId, Subscription>();
  #grant: AccessGrant;
  #waiting = 0;

  constructor(host: SubscribingHost, grant: AccessGrant) {
    this.#host = host;
    this.#grant = grant;
  }

  /** It starts with no analysis. */
  async join(query: WatchQuery): Promise<void> {
    this.#query = query;
  }

  begin(): void {}

  /** The position up to which the client was sent all that it is to get of an analysis; undefined if it has none. */
  positionOf(analysisId: AnalysisId): EventPosition | undefined {
    return this.#subscriptions.get(analysisId)?.position;
  }

  /** Frames of one analysis are served in their order, frames of several analyses at once. */
  take(frame: SubscriptionFrame): void {
    const now = this.#host.services.clock.now();
    const id = parseAnalysisId(frame.analysis_id);
    const known = id === undefined ? undefined : this.#subscriptions.get(id);
    if (frame.type === "unsubscribe" && known === undefined) {
      this.#host.answer(unsubscribed(id ?? frame.analysis_id, now));
    } else if (id === undefined) {
      this.#host.answer(subscriptionRefused(frame.analysis_id, "not_an_analysis_id", now));
      this.#host.refused?.(frame.analysis_id, "not_an_analysis_id");
    } else if (this.#waiting >= MOST_WAITING_FRAMES) {
      this.#host.close(CLOSE_CODES.protocolViolation, "too many frames wait for an answer");
    } else if (known === undefined && !this.#mayBegin()) {
      this.#host.answer(subscriptionRefused(id, "too_many_subscriptions", now));
      this.#host.refused?.(id, "too_many_subscriptions");
    } else {
      this.#waiting++;
      (known ?? this.#begin(id)).take(frame);
    }
  }

  /** Ends each subscription that the new rights do not allow; the connection goes on. */
  mayGoOn(grant: AccessGrant): boolean {
    this.#grant = grant;
    for (const subscription of this.#subscriptions.values()) subscription.grantChanged();
    return true;
  }

  /** Leaves nothing behind, at whatever instant. Idempotent. */
  end(): void {
    for (const subscription of this.#subscriptions.values()) subscription.end();
    this.#subscriptions.clear();
  }

  /** Counts one more subscription if the limits allow it: of this socket, and of its user over all sockets. */
  #mayBegin(): boolean {
    const { registry } = this.#host.services;
    return this.#subscriptions.size < MOST_SUBSCRIPTIONS && registry.takeSubscription(this.#host.id);
  }

  #begin(analysisId: AnalysisId): Subscription {
    const many = this;
    const subscription = new Subscription(analysisId, {
      host: this.#host,
      query: this.#query,
      get grant() {
        return many.#grant;
      },
      served: () => void this.#waiting--,
      over: () => {
        if (this.#subscriptions.delete(analysisId))
          this.#host.services.registry.giveBackSubscription(this.#host.id);
      },
    });
    this.#subscriptions.set(analysisId, subscription);
    return subscription;
  }
}
