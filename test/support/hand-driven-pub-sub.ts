import { BrokerUnavailable } from "../../src/application/errors.ts";
import type { BrokerHealth } from "../../src/application/ports/broker-health.ts";
import type {
  AppendOutcome,
  AppendRequest,
  CancelRequest,
  ChannelPosition,
  ChannelSnapshot,
  ChannelSubscriber,
  ChannelSubscription,
  HistoryPage,
  PubSubPort,
  WorkerAnswer,
} from "../../src/application/ports/pub-sub-port.ts";
import type { ViewerList } from "../../src/domain/access-grant.ts";
import type { AnalysisChannel, ChannelName } from "../../src/domain/channel.ts";
import type { EventPosition } from "../../src/domain/event-position.ts";

export type CallName =
  | "append"
  | "snapshot"
  | "viewers"
  | "history"
  | "positions"
  | "subscribe"
  | "declareViewers"
  | "requestCancel"
  | "signOfLife";

export interface Call {
  readonly name: CallName;
  readonly channel: ChannelName;
}

/**
 * A broker behind a network that the test holds in its hands: when a call is carried out, when its answer arrives,
 * when a message that was published arrives, and which of them never do. Left alone it behaves as the one inside.
 */
export class HandDrivenPubSub implements PubSubPort {
  readonly kind = "hand-driven";
  /** Whether calls wait for `proceed` from now on. */
  holdsCalls = false;
  /** Whether what is published waits for `deliver` from now on. */
  holdsMail = false;
  /** Why a call fails at once; undefined if it does not. */
  fault: (call: Call) => Error | undefined = () => undefined;
  readonly made: Call[] = [];
  readonly #inner: PubSubPort;
  /** The channels of a part that is away. */
  #away: true | ReadonlySet<ChannelName> | undefined;
  readonly #stages: Stage[] = [];
  readonly #mail: Mail[] = [];
  readonly #subscribers = new Set<ChannelSubscriber>();

  constructor(inner: PubSubPort) {
    this.#inner = inner;
  }

  get durability(): PubSubPort["durability"] {
    return this.#inner.durability;
  }

  get mostBytes(): number {
    return this.#inner.mostBytes;
  }

  /** How many subscriptions are held at the broker. */
  get subscriptions(): number {
    return this.#subscribers.size;
  }

  countOf(name: CallName): number {
    return this.made.filter((call) => call.name === name).length;
  }

  /** The calls that wait, oldest first. */
  get waiting(): Call[] {
    return this.#stages.map(({ call }) => call);
  }

  /** A part of the broker is away, which has these channels alone, until `comesBack`. */
  losesPartWith(...channels: readonly ChannelName[]): void {
    this.#away = new Set(channels);
    const isLost = ({ channel }: Call) => channel !== undefined && channels.includes(channel);
    this.fault = (call) => (isLost(call) ? new BrokerUnavailable("a part of the broker is away") : undefined);
  }

  /** Every call fails as on a broker that is away, until `comesBack`. */
  goesAway(): void {
    this.#away = true;
    this.fault = () => new BrokerUnavailable("the broker is away");
  }

  comesBack(): void {
    this.#away = undefined;
    this.fault = () => undefined;
  }

  /** Lets the oldest call that waits go one stage on: first it is carried out, then its answer arrives. */
  async proceed(): Promise<Call | undefined> {
    const stage = this.#stages.shift();
    stage?.advance();
    await settled();
    return stage?.call;
  }

  /** Everything that waits fails, whether it was carried out or not. */
  failWaiting(error: Error): void {
    for (const stage of this.#stages.splice(0)) stage.fail(error);
  }

  /** Delivers what was published and waits, the oldest first: up to the event at `offset`, or all of it. */
  deliver(offset = Number.POSITIVE_INFINITY): void {
    while (this.#mail[0] !== undefined && this.#mail[0].offset <= offset) this.#mail.shift()?.arrive();
  }

  /** Messages that wait, and those that are published until `restoreLink`, never arrive. */
  breakLink(): void {
    this.holdsMail = true;
    this.#mail.length = 0;
  }

  restoreLink(): void {
    this.#mail.length = 0;
    this.holdsMail = false;
    for (const subscriber of [...this.#subscribers]) subscriber.linkRestored();
  }

  append(request: AppendRequest): Promise<AppendOutcome> {
    return this.#call({ name: "append", channel: request.channel }, () => this.#inner.append(request));
  }

  snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot> {
    return this.#call({ name: "snapshot", channel }, () => this.#inner.snapshot(channel));
  }

  viewers(channel: AnalysisChannel): Promise<ViewerList | undefined> {
    return this.#call({ name: "viewers", channel }, () => this.#inner.viewers(channel));
  }

  history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    return this.#call({ name: "history", channel }, () => this.#inner.history(channel, after, limit));
  }

  positions(channels: readonly AnalysisChannel[]): Promise<readonly (ChannelPosition | undefined)[]> {
    const [channel] = channels;
    if (channel === undefined) return this.#inner.positions(channels);
    return this.#call({ name: "positions", channel }, () => this.#inner.positions(channels));
  }

  subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    return this.#call({ name: "subscribe", channel }, async () => {
      const send = (offset: number, message: () => void) => {
        const arrive = () => {
          if (this.#subscribers.has(subscriber)) message();
        };
        if (this.holdsMail) this.#mail.push({ offset, arrive });
        else arrive();
      };
      this.#subscribers.add(subscriber);
      const subscription = await this.#inner.subscribe(channel, {
        event: (event) => send(event.position.offset, () => subscriber.event(event)),
        viewersChanged: (viewers) => send(0, () => subscriber.viewersChanged(viewers)),
        cancelRequested: (request) => send(0, () => subscriber.cancelRequested(request)),
        linkRestored: () => subscriber.linkRestored(),
      });
      return {
        unsubscribe: () => {
          this.#subscribers.delete(subscriber);
          return subscription.unsubscribe();
        },
      };
    });
  }

  declareViewers(channel: AnalysisChannel, viewers: ViewerList): Promise<void> {
    return this.#call({ name: "declareViewers", channel }, () =>
      this.#inner.declareViewers(channel, viewers),
    );
  }

  requestCancel(channel: AnalysisChannel, request: CancelRequest): Promise<"requested" | "ended"> {
    return this.#call(
      { name: "requestCancel", channel },
      async () => (await this.#inner.requestCancel?.(channel, request)) ?? "requested",
    );
  }

  signOfLife(channel: AnalysisChannel, attemptId?: string): Promise<WorkerAnswer> {
    return this.#call(
      { name: "signOfLife", channel },
      async () => (await this.#inner.signOfLife?.(channel, attemptId)) ?? {},
    );
  }

  health(channel?: ChannelName): BrokerHealth {
    const isServed = this.#away instanceof Set && channel !== undefined && !this.#away.has(channel);
    if (this.#away === undefined || isServed) return this.#inner.health();
    return { status: "down", cause: "away", reason: "the broker is away", warnings: [] };
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #call<Answer>(call: Call, carryOut: () => Promise<Answer>): Promise<Answer> {
    this.made.push(call);
    const fault = this.fault(call);
    if (fault !== undefined) throw fault;
    if (!this.holdsCalls) return carryOut();
    await this.#stage(call);
    const answer = await carryOut();
    await this.#stage(call);
    return answer;
  }

  #stage(call: Call): Promise<void> {
    return new Promise((advance, fail) => this.#stages.push({ call, advance, fail }));
  }
}

interface Mail {
  /** 0 for what is no event. */
  readonly offset: number;
  readonly arrive: () => void;
}

interface Stage {
  readonly call: Call;
  readonly advance: () => void;
  readonly fail: (error: Error) => void;
}

/** Lets what only waits for promises run; far cheaper than a turn of the event loop, which thousands of steps need. */
async function settled(): Promise<void> {
  for (let step = 0; step < 20; step++) await undefined;
}
