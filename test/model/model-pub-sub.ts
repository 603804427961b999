import { AppendQueue } from "../../src/adapters/broker/append-queue.ts";
import { BrokerUnavailable, OutcomeUnknown } from "../../src/application/errors.ts";
import type { BrokerHealth } from "../../src/application/ports/broker-health.ts";
import type {
  AppendOutcome,
  AppendRequest,
  ChannelPosition,
  ChannelSnapshot,
  ChannelSubscriber,
  ChannelSubscription,
  HistoryPage,
  PubSubPort,
} from "../../src/application/ports/pub-sub-port.ts";
import type { ViewerList } from "../../src/domain/access-grant.ts";
import type { AnalysisChannel, ChannelName } from "../../src/domain/channel.ts";
import { MAX_EVENT_BYTES } from "../../src/domain/decode-event.ts";
import type { EventPosition } from "../../src/domain/event-position.ts";
import type { HistoryLimits, Listener, ModelServer } from "./model-server.ts";

/**
 * Milliseconds that an append is on its way at most, as with every broker (PS-30). A bare message says how long ago it may
 * have been published until then; without an end to the way nobody could say it.
 */
const LATEST_CALL_MS = 4_000;

/** A command on its way to the broker. */
interface Request {
  /** Runs at the broker. The function that it returns delivers the answer. */
  readonly carryOut: () => () => void;
  readonly lost: () => void;
}

/** A message on its way from the broker to this node. */
interface Parcel {
  readonly arrive: () => void;
  readonly lost: () => void;
  /** Whether it is an event, and neither an answer nor a list of viewers. */
  readonly isEvent: boolean;
}

/** A subscription that the broker has confirmed. */
interface Subscription extends Listener {
  readonly channel: ChannelName;
  readonly subscriber: ChannelSubscriber;
}

/**
 * One node's two connections to a broker, one for commands and one that listens, on which nothing moves but by
 * `step`, unless they flow. Each keeps its order; neither knows of the other's.
 */
export class ModelPubSub implements PubSubPort {
  readonly kind = "model";
  readonly mostBytes = MAX_EVENT_BYTES;
  readonly durability = { keptIn: "process", replicas: 0 } as const;
  /** While set, the broker sends this node nothing and does not say so. */
  stalled = false;
  /** The process is frozen: the broker goes on, nothing arrives. */
  frozen = false;
  /** The errors that subscribers threw, though they promise not to throw. */
  readonly faults: unknown[] = [];
  #server: ModelServer;
  #flows = true;
  #flowDue = false;
  #commandsUp = true;
  #listeningUp = true;
  #closed = false;
  readonly #limits: HistoryLimits | undefined;
  /** The queue of the product: appends of one turn share one fate, and none overtakes one that failed. */
  readonly #appends = new AppendQueue({
    carryOut: ({ requests, calledAt }) =>
      this.#command("write", () => {
        if (this.#server.now - calledAt >= LATEST_CALL_MS)
          throw new BrokerUnavailable("the call came too late");
        return requests.map((request) => this.#server.append(request, this.#limits));
      }),
    now: () => this.#server.now,
  });
  readonly #requests: Request[] = [];
  readonly #answers: Parcel[] = [];
  readonly #wishes: Request[] = [];
  readonly #mail: Parcel[] = [];
  /** The subscriptions that the broker has on the present connection. */
  readonly #known = new Set<Subscription>();
  readonly #agreed = new Set<Subscription>();

  constructor(server: ModelServer, limits?: HistoryLimits) {
    this.#server = server;
    this.#limits = limits;
  }

  get server(): ModelServer {
    return this.#server;
  }

  get subscribed(): ChannelName[] {
    return [...this.#agreed].map(({ channel }) => channel);
  }

  /** Whether the connection that listens is up. */
  get listens(): boolean {
    return this.#listeningUp;
  }

  set flows(flows: boolean) {
    this.#flows = flows;
    this.kick();
  }

  /** How many different things could happen next on this node's network. */
  get possible(): number {
    return this.#queues().length;
  }

  /** Lets one of them happen, and answers which. */
  step(pick: number): string {
    const queues = this.#queues();
    const [name, happen] = queues[pick % queues.length] ?? ["nothing is under way", () => {}];
    happen();
    return name;
  }

  /** The oldest event that was published and waits is lost without a word. */
  loseOneMessage(): void {
    const oldest = this.#mail.findIndex(({ isEvent }) => isEvent);
    if (oldest >= 0) this.#mail.splice(oldest, 1);
  }

  /** All commands are carried out, and the answers never come: they fail as a command does whose time is up. */
  loseAnswers(): void {
    while (this.#requests.length > 0) this.#carryOut(this.#requests, this.#answers);
    for (const { lost } of this.#answers.splice(0)) lost();
  }

  cutCommands(): void {
    this.#commandsUp = false;
    for (const { lost } of this.#requests.splice(0)) lost();
    for (const { lost } of this.#answers.splice(0)) lost();
  }

  cutListening(): void {
    this.#listeningUp = false;
    for (const listener of this.#known) this.#forget(listener);
    for (const { lost } of this.#wishes.splice(0)) lost();
    for (const { lost } of this.#mail.splice(0)) lost();
  }

  /** The cut connections are made again, to the broker that is there now. */
  restore(server = this.#server): void {
    if (this.#closed) return;
    if (server !== this.#server) {
      this.cutCommands();
      this.cutListening();
      this.#server = server;
    }
    this.#commandsUp = true;
    if (this.#listeningUp) return;
    this.#listeningUp = true;
    for (const listener of this.#agreed) this.#agreeAgain(listener);
    this.kick();
  }

  append(request: AppendRequest): Promise<AppendOutcome> {
    return this.#appends.append(request);
  }

  snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot> {
    return this.#command("read", () => this.#server.snapshot(channel));
  }

  viewers(channel: AnalysisChannel): Promise<ViewerList | undefined> {
    return this.#command("read", () => this.#server.viewersOf(channel));
  }

  history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage> {
    return this.#command("read", () => this.#server.history(channel, after, limit));
  }

  positions(channels: readonly AnalysisChannel[]): Promise<readonly ChannelPosition[]> {
    return this.#command("read", () => this.#server.positions(channels));
  }

  declareViewers(channel: AnalysisChannel, viewers: ViewerList): Promise<void> {
    return this.#command("write", () => this.#server.declareViewers(channel, viewers, this.#limits?.ttlMs));
  }

  subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription> {
    if (!this.#listeningUp) return Promise.reject(new BrokerUnavailable("the listening connection is cut"));
    const { promise, resolve, reject } = Promise.withResolvers<ChannelSubscription>();
    const listener = this.#listener(channel, subscriber);
    const lost = () => reject(new BrokerUnavailable("cut while subscribing"));
    const agreed = () => {
      this.#agreed.add(listener);
      resolve({ unsubscribe: () => this.#unsubscribe(listener) });
    };
    const carryOut = () => {
      this.#tellBroker(listener);
      return agreed;
    };
    this.#wishes.push({ carryOut, lost });
    this.kick();
    return promise;
  }

  health(): BrokerHealth {
    const down = !this.#commandsUp || !this.#listeningUp;
    if (!down) return { status: "up", warnings: [] };
    return { status: "down", cause: "unreachable", reason: "cut", warnings: [] };
  }

  async close(): Promise<void> {
    this.cutCommands();
    this.cutListening();
    this.#agreed.clear();
    this.#closed = true;
  }

  /** A command that is not part of this port goes the same way, in its order. */
  command<Answer>(carryOut: (server: ModelServer) => Answer): Promise<Answer> {
    return this.#command("write", () => carryOut(this.#server));
  }

  #command<Answer>(kind: "read" | "write", work: () => Answer): Promise<Answer> {
    if (!this.#commandsUp) return Promise.reject(new BrokerUnavailable("the connection is cut"));
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const lost = () =>
      reject(
        kind === "write" ? new OutcomeUnknown("no answer came") : new BrokerUnavailable("no answer came"),
      );
    this.#requests.push({ carryOut: () => answerOf(work, resolve, reject), lost });
    this.kick();
    return promise;
  }

  #listener(channel: ChannelName, subscriber: ChannelSubscriber): Subscription {
    const listener: Subscription = {
      channel,
      subscriber,
      post: (message, what) => {
        if (this.stalled) return;
        const arrive = () => {
          if (this.#agreed.has(listener)) this.#tell(subscriber, message);
        };
        this.#mail.push({ arrive, lost: () => {}, isEvent: what === "event" });
        this.kick();
      },
    };
    return listener;
  }

  /** A subscriber that throws must not keep the message from the others. The test must know that it threw. */
  #tell(subscriber: ChannelSubscriber, message: (subscriber: ChannelSubscriber) => void): void {
    try {
      message(subscriber);
    } catch (error) {
      this.faults.push(error);
    }
  }

  #agreeAgain(listener: Subscription): void {
    const carryOut = () => {
      if (this.#agreed.has(listener)) this.#tellBroker(listener);
      return () => {
        if (this.#agreed.has(listener)) listener.subscriber.linkRestored();
      };
    };
    this.#wishes.push({ carryOut, lost: () => {} });
  }

  #tellBroker(listener: Subscription): void {
    this.#known.add(listener);
    this.#server.addListener(listener.channel, listener);
  }

  #forget(listener: Subscription): void {
    this.#known.delete(listener);
    this.#server.removeListener(listener.channel, listener);
  }

  #unsubscribe(listener: Subscription): Promise<void> {
    if (!this.#agreed.delete(listener) || !this.#listeningUp) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const carryOut = () => {
      this.#forget(listener);
      return resolve;
    };
    this.#wishes.push({ carryOut, lost: () => resolve() });
    this.kick();
    return promise;
  }

  #queues(): [name: string, happen: () => void][] {
    const possible: [string, () => void][] = [];
    const request = this.#requests[0];
    const wish = this.#wishes[0];
    if (wish !== undefined)
      possible.push(["the broker subscribes it", () => this.#carryOut(this.#wishes, this.#mail)]);
    if (request !== undefined)
      possible.push([
        "the broker carries out a command",
        () => this.#carryOut(this.#requests, this.#answers),
      ]);
    if (this.frozen) return possible;
    if (this.#mail.length > 0) possible.push(["an event arrives", () => this.#mail.shift()?.arrive()]);
    if (this.#answers.length > 0) possible.push(["an answer arrives", () => this.#answers.shift()?.arrive()]);
    return possible;
  }

  #carryOut(from: Request[], to: Parcel[]): void {
    const request = from.shift();
    if (request === undefined) return;
    to.push({ arrive: request.carryOut(), lost: () => request.lost(), isEvent: false });
  }

  /** Lets everything happen that may happen by itself. */
  kick(): void {
    if (!this.#flows || this.#flowDue) return;
    this.#flowDue = true;
    queueMicrotask(() => {
      this.#flowDue = false;
      if (this.#flows) while (this.possible > 0) this.step(0);
    });
  }
}

function answerOf<Answer>(
  work: () => Answer,
  resolve: (answer: Answer) => void,
  reject: (error: unknown) => void,
): () => void {
  try {
    const answer = work();
    return () => resolve(answer);
  } catch (error) {
    return () => reject(error);
  }
}
