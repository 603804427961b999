import type { ViewerList } from "../../domain/access-grant.ts";
import type { AnalysisChannel } from "../../domain/channel.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import { faultLevel } from "../fault-level.ts";
import type { ClockPort } from "../ports/clock-port.ts";
import type { ResyncReason } from "../ports/metric-catalogue.ts";
import type {
  ChannelSnapshot,
  ChannelSubscriber,
  ChannelSubscription,
  PublishedEvent,
  PubSubPort,
} from "../ports/pub-sub-port.ts";
import type { TelemetryPort } from "../ports/telemetry-port.ts";
import { reasonOf } from "../reason-of.ts";
import { Broadcaster } from "./broadcaster.ts";
import type { ChannelFeed } from "./channel-feed.ts";
import { DeclaredViewers } from "./declared-viewers.ts";
import type { ReplaySource } from "./delivery-source.ts";
import type { ChannelNow } from "./delivery-start.ts";
import { type FeedState, hold, reading } from "./feed-state.ts";
import { type LatestEvents, latestAfter } from "./latest-events.ts";
import { PositionDoubt, type StandReport } from "./position-doubt.ts";
import { ReturningWatchers } from "./returning-watchers.ts";
import type { ReadHistory } from "./shared-history.ts";
import { survivingOf } from "./surviving-history.ts";

const HISTORY_PAGE = 200;
const HEAL_RETRY_MS = 500;

/**
 * One analysis on this node: keeps the events without a hole, and what a late joiner needs, so that only the first
 * watcher costs the broker anything. Whatever may have been missed is read again from the history.
 */
export class AnalysisFeed implements ChannelFeed, ChannelSubscriber, ReplaySource {
  readonly broadcaster = new Broadcaster();
  readonly replays = this;
  readonly channel: AnalysisChannel;
  readonly #pubSub: PubSubPort;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  #state: FeedState = reading();
  #position: EventPosition = { epoch: "", offset: 0 };
  #latest: LatestEvents = { status: undefined, terminal: undefined };
  readonly #viewers = new DeclaredViewers();
  readonly #returning: ReturningWatchers;
  readonly #doubt = new PositionDoubt();
  #subscription: ChannelSubscription | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(channel: AnalysisChannel, pubSub: PubSubPort, clock: ClockPort, telemetry: TelemetryPort) {
    this.channel = channel;
    this.#pubSub = pubSub;
    this.#clock = clock;
    this.#telemetry = telemetry;
    this.#returning = new ReturningWatchers(channel, this.broadcaster, pubSub, clock, telemetry);
  }

  /** Who may watch, as last declared; undefined where nobody said. */
  get viewers(): ViewerList | undefined {
    return this.#viewers.list;
  }

  async open(): Promise<void> {
    this.#subscription = await this.#pubSub.subscribe(this.channel, this);
    try {
      this.#take(await this.#read());
      this.broadcaster.openAt(this.#position);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#settle();
  }

  /** Whether a terminal event stands, as the broker has it: this node may not have heard of it yet. */
  hasCurrentTerminal(): Promise<boolean> {
    return this.#returning.hasCurrentTerminal();
  }

  /** Whether a terminal event stands that lies at or before a position of this node's history. */
  hasCurrentTerminalAt({ offset }: EventPosition): boolean {
    const { terminal } = this.#latest;
    return terminal !== undefined && terminal.position.offset <= offset;
  }

  /** The place in the ring of the event after a position; undefined if only the broker can judge the position. */
  sequenceAfter(after: EventPosition): number | undefined {
    return this.#state.type === "live" ? this.broadcaster.sequenceAfter(after, this.#position) : undefined;
  }

  /** What is kept after a position (`undefined`: from the oldest), judged by the broker, read once for all who ask. */
  async history(after: EventPosition | undefined): Promise<ReadHistory> {
    const { offset } = this.#position;
    const read = await this.#returning.history(after);
    // A broker that has less than this node had when it was asked has lost it, or is another one.
    if (read.newest.offset < offset) this.#mistrust("shorter_history");
    if (this.#state.type === "live") this.#returning.remember(read, this.#position);
    return read;
  }

  /** As `history`; without a broker it tries again. Never rejects. */
  readOn(after: EventPosition | undefined): Promise<ReadHistory> {
    return this.#returning.readOn(after);
  }

  now(): ChannelNow {
    return { position: this.#position, latest: this.#latest };
  }

  /** Whether it has everything it knows of: else it is being read again. */
  get isLive(): boolean {
    return this.#state.type === "live";
  }

  /** What the broker says of where the channel stands: what this node lacks is read again. */
  compare(report: Omit<StandReport, "stands">): void {
    if (this.#state.type !== "live") return;
    const reason = this.#doubt.judge({ ...report, stands: this.#position });
    if (reason !== undefined) this.#mistrust(reason);
  }

  close(): void {
    this.#state = { type: "closed" };
    this.#cancelRetry?.();
    this.#returning.close();
    // Never rejects: the port says so.
    void this.#subscription?.unsubscribe();
  }

  event(event: PublishedEvent): void {
    if (this.#state.type === "live") this.#accept(event);
    else if (this.#state.type === "reading") hold(this.#state, event);
  }

  viewersChanged(viewers: ViewerList): void {
    if (this.#closed()) return;
    this.#viewers.heard(viewers);
    this.broadcaster.viewersChanged(viewers);
  }

  linkRestored(): void {
    this.#mistrust("link_restored");
  }

  doubt(): void {
    this.#mistrust("replay_broken_off");
  }

  #mistrust(reason: ResyncReason): void {
    if (this.#state.type === "live") void this.#heal(reason);
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
    this.broadcaster.push(event);
  }

  /** Reads what followed the last event that is known to be right. Never rejects: without a broker it tries again. */
  async #heal(reason: ResyncReason): Promise<void> {
    this.#state = reading();
    this.#telemetry.count("telltale_resyncs_total", { reason });
    this.#telemetry.log("debug", "reading a channel again", { channel: this.channel, reason });
    try {
      await this.#catchUp();
      this.#settle();
    } catch (error) {
      if (this.#closed()) return;
      this.#telemetry.log(faultLevel(error), "a channel could not be read again yet", {
        channel: this.channel,
        message: reasonOf(error),
      });
      this.#cancelRetry = this.#clock.after(HEAL_RETRY_MS, () => void this.#heal("retry"));
    }
  }

  /** Pushes what is missing; where a position is gone, everybody is judged anew. */
  async #catchUp(): Promise<void> {
    for (;;) {
      const page = await this.#pubSub.history(this.channel, this.#position, HISTORY_PAGE);
      if (this.#closed()) return;
      // Somebody may stand further than this node, where another one or the broker itself brought them.
      if (!page.resumed || this.broadcaster.hasLost(page.kept)) return this.#moveToSurviving();
      for (const event of page.events) this.#apply(event);
      if (!page.more) return this.#takeViewers(await this.#read());
    }
  }

  async #moveToSurviving(): Promise<void> {
    for (;;) {
      const { arrivals } = this.broadcaster;
      const read = await this.#read();
      if (this.#closed()) return;
      const history = survivingOf(read.snapshot);
      // Who came meanwhile may stand where the broker had not come to when it was asked.
      if (arrivals !== this.broadcaster.arrivals && this.broadcaster.hasBeyond(history.kept.newest)) continue;
      this.#telemetry.count("telltale_feed_restarts_total", {});
      this.#take(read);
      this.broadcaster.moveTo(history);
      return;
    }
  }

  async #read(): Promise<ReadSnapshot> {
    const takeViewers = this.#viewers.read();
    return { snapshot: await this.#pubSub.snapshot(this.channel), takeViewers };
  }

  #take(read: ReadSnapshot): void {
    const { position, lastStatus, currentTerminal } = read.snapshot;
    this.#position = position;
    this.#latest = { status: lastStatus, terminal: currentTerminal };
    this.#takeViewers(read);
  }

  #takeViewers({ snapshot: { viewers }, takeViewers }: ReadSnapshot): void {
    if (this.#closed() || !takeViewers(viewers)) return;
    if (viewers !== undefined) this.broadcaster.viewersChanged(viewers);
  }

  /** Live again: what was heard meanwhile is taken in order, and may show that more is missing. */
  #settle(): void {
    if (this.#state.type !== "reading") return;
    const { held, again } = this.#state;
    this.#state = { type: "live" };
    if (again) void this.#heal("held_too_much");
    else for (const event of held) this.event(event);
  }

  #closed(): boolean {
    return this.#state.type === "closed";
  }
}

interface ReadSnapshot {
  readonly snapshot: ChannelSnapshot;
  readonly takeViewers: (viewers: ViewerList | undefined) => boolean;
}
