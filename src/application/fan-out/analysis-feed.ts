import type { ViewerList } from "../../domain/access-grant.ts";
import type { AnalysisChannel } from "../../domain/channel.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import type { ClockPort } from "../ports/clock-port.ts";
import type {
  ChannelSnapshot,
  ChannelSubscriber,
  ChannelSubscription,
  PublishedEvent,
  PubSubPort,
} from "../ports/pub-sub-port.ts";
import type { TelemetryPort } from "../ports/telemetry-port.ts";
import { reasonOf } from "../reason-of.ts";
import type { ChannelFeed } from "./channel-feed.ts";
import { Fanout } from "./fanout.ts";
import { inOrder, type LatestEvents, latestAfter } from "./latest-events.ts";

const HISTORY_PAGE = 1_000;
const HEAL_RETRY_MS = 500;
/** What is held while a heal is out; beyond it the heal is simply done once more. */
const MAX_HELD = 1_000;

/**
 * One analysis on this node: keeps the events without a hole, and what a late joiner needs, so that only the first
 * watcher costs the broker anything. Whatever may have been missed is read again from the history.
 */
export class AnalysisFeed implements ChannelFeed, ChannelSubscriber {
  readonly fanout = new Fanout();
  readonly #channel: AnalysisChannel;
  readonly #pubSub: PubSubPort;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  #state: FeedState = { type: "reading", held: [], again: false };
  #position: EventPosition = { epoch: "", offset: 0 };
  #latest: LatestEvents = { status: undefined, terminal: undefined };
  #viewers: ViewerList | undefined;
  /** How often viewers were heard. */
  #viewersHeard = 0;
  #subscription: ChannelSubscription | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(channel: AnalysisChannel, pubSub: PubSubPort, clock: ClockPort, telemetry: TelemetryPort) {
    this.#channel = channel;
    this.#pubSub = pubSub;
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /** Who may watch, as last declared; undefined where nobody said. */
  get viewers(): ViewerList | undefined {
    return this.#viewers;
  }

  /** Of the last event that this node has of the channel. */
  get position(): EventPosition {
    return this.#position;
  }

  /** What `replay=latest` sends. */
  latest(): PublishedEvent[] {
    return inOrder(this.#latest);
  }

  async open(): Promise<void> {
    this.#subscription = await this.#pubSub.subscribe(this.#channel, this);
    try {
      this.#take(await this.#read());
    } catch (error) {
      this.close();
      throw error;
    }
    this.#settle();
  }

  /** Whether a terminal event stands, as the broker has it: this node may not have heard of it yet. */
  async terminalStands(): Promise<boolean> {
    return (await this.#pubSub.snapshot(this.#channel)).standingTerminal !== undefined;
  }

  /**
   * Everything kept after a position (`undefined`: from the oldest), judged by the broker. What is published
   * meanwhile may or may not be in it: `end` says where it ends.
   */
  async history(after: EventPosition | undefined): Promise<ReadHistory> {
    const events: PublishedEvent[] = [];
    let resumed: boolean | undefined;
    for (let from = after; ; from = events.at(-1)?.position ?? from) {
      const page = await this.#pubSub.history(this.#channel, from, HISTORY_PAGE);
      // A page that does not follow the one before starts anew: the history was lost or trimmed in between.
      if (!page.resumed) events.length = 0;
      resumed = (resumed ?? true) && page.resumed;
      events.push(...page.events);
      if (page.events.length < HISTORY_PAGE)
        return { resumed, events, end: events.at(-1)?.position ?? page.position };
    }
  }

  close(): void {
    this.#state = { type: "closed" };
    this.#cancelRetry?.();
    // Never rejects: the port says so.
    void this.#subscription?.unsubscribe();
  }

  event(event: PublishedEvent): void {
    if (this.#state.type === "closed") return;
    if (this.#state.type === "live") this.#accept(event);
    else if (this.#state.held.length < MAX_HELD) this.#state.held.push(event);
    else this.#state = { type: "reading", held: [], again: true };
  }

  viewersChanged(viewers: ViewerList): void {
    if (this.#state.type === "closed") return;
    this.#viewersHeard++;
    this.#viewers = viewers;
    this.fanout.viewersChanged(viewers);
  }

  linkRestored(): void {
    if (this.#state.type === "live") void this.#heal("link_restored");
    else if (this.#state.type === "reading") this.#state.again = true;
  }

  #accept(event: PublishedEvent): void {
    const { epoch, offset } = event.position;
    if (epoch === this.#position.epoch && offset <= this.#position.offset) return;
    const follows = offset === this.#position.offset + 1;
    if (follows && (epoch === this.#position.epoch || offset === 1)) this.#apply(event);
    else void this.#heal(follows ? "epoch_changed" : "hole");
  }

  #apply(event: PublishedEvent): void {
    this.#position = event.position;
    this.#latest = latestAfter(this.#latest, event);
    this.fanout.push(event);
  }

  /** Reads what followed the last event that is known to be right. Never rejects: without a broker it tries again. */
  async #heal(reason: string): Promise<void> {
    const reading: ReadingState = { type: "reading", held: [], again: false };
    this.#state = reading;
    this.#telemetry.count("feed_heals");
    this.#telemetry.log("debug", "reading a channel again", { channel: this.#channel, reason });
    try {
      const read = await this.#catchUp();
      if (this.#closed()) return;
      if (read === undefined) this.#settle();
      else await this.#restart(read);
    } catch (error) {
      if (this.#closed()) return;
      this.#telemetry.log("warn", "a channel could not be read again yet", {
        channel: this.#channel,
        message: reasonOf(error),
      });
      this.#cancelRetry = this.#clock.after(HEAL_RETRY_MS, () => void this.#heal("retry"));
    }
  }

  /** Pushes what is missing; a snapshot where the position is gone, so that everybody has to start afresh. */
  async #catchUp(): Promise<ReadSnapshot | undefined> {
    for (;;) {
      const page = await this.#pubSub.history(this.#channel, this.#position, HISTORY_PAGE);
      if (this.#closed()) return undefined;
      if (!page.resumed) return this.#read();
      for (const event of page.events) this.#apply(event);
      if (page.events.length < HISTORY_PAGE) break;
    }
    this.#takeViewers(await this.#read());
    return undefined;
  }

  async #restart(read: ReadSnapshot): Promise<void> {
    // What is newer than the snapshot comes as events, so that nobody gets it twice.
    const kept = this.fanout.replaysAll ? (await this.history(undefined)).events : [];
    if (this.#closed()) return;
    this.#telemetry.count("feed_restarts");
    const all = kept.filter((event) => event.position.offset <= read.snapshot.position.offset);
    this.#take(read);
    this.fanout.restart(this.latest(), all);
    this.#settle();
  }

  async #read(): Promise<ReadSnapshot> {
    const viewersHeard = this.#viewersHeard;
    return { snapshot: await this.#pubSub.snapshot(this.#channel), viewersHeard };
  }

  #take(read: ReadSnapshot): void {
    const { position, lastStatus, standingTerminal } = read.snapshot;
    this.#position = position;
    this.#latest = { status: lastStatus, terminal: standingTerminal };
    this.#takeViewers(read);
  }

  #takeViewers({ snapshot, viewersHeard }: ReadSnapshot): void {
    // What was heard since it was asked for is newer.
    if (this.#closed() || viewersHeard !== this.#viewersHeard) return;
    this.#viewers = snapshot.viewers;
    if (snapshot.viewers !== undefined) this.fanout.viewersChanged(snapshot.viewers);
  }

  /** Live again: what was heard meanwhile is taken in order, and may show that more is missing. */
  #settle(): void {
    if (this.#state.type !== "reading") return;
    const { held, again } = this.#state;
    this.#state = { type: "live" };
    if (again) {
      void this.#heal("held_too_much");
      return;
    }
    for (const event of held) this.event(event);
  }

  #closed(): boolean {
    return this.#state.type === "closed";
  }
}

export interface ReadHistory {
  /** False where the position is gone: then it starts at the oldest kept. */
  readonly resumed: boolean;
  readonly events: readonly PublishedEvent[];
  /** Of the last event read, or of the channel's last where there was none to read. */
  readonly end: EventPosition;
}

interface ReadSnapshot {
  readonly snapshot: ChannelSnapshot;
  /** How often viewers had been heard when it was asked for. */
  readonly viewersHeard: number;
}

interface ReadingState {
  readonly type: "reading";
  readonly held: PublishedEvent[];
  /** What was heard could not all be held, or the link broke once more: read again. */
  again: boolean;
}

type FeedState = ReadingState | { readonly type: "live" } | { readonly type: "closed" };
