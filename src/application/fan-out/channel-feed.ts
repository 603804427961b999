import type { ViewerList } from "../../domain/access-grant.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import { type AnalysisChannel, analysisIdOf } from "../../domain/channel.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import { type LatestState, latestAfter, NOTHING_PUBLISHED } from "../../domain/latest-state.ts";
import { faultLevel, reasonOf } from "../errors.ts";
import type { ClockPort } from "../ports/clock-port.ts";
import type { ResyncReason } from "../ports/metric-names.ts";
import type {
  ChannelPosition,
  ChannelSnapshot,
  ChannelSubscriber,
  ChannelSubscription,
  PublishedEvent,
  PubSubPort,
} from "../ports/pub-sub-port.ts";
import type { TelemetryPort } from "../ports/telemetry-port.ts";
import { Announcer } from "./announcer.ts";
import { Broadcaster } from "./broadcaster.ts";
import { hold, type Reading, reading } from "./held-events.ts";
import { HistoryReader, type HistoryStretch } from "./history-reader.ts";
import { checkArrival, isSame, PositionCheck } from "./position-check.ts";
import { StateReader } from "./state-reader.ts";

const RESYNC_RETRY_MS = 500;

type FeedState = Reading | { readonly type: "live" } | { readonly type: "closed" };

/**
 * One analysis on this node: passes its events on without a hole, and keeps what a late joiner needs, so that only the
 * first watcher costs the broker anything. If it may have missed something, it reads the history again (resync).
 */
export class ChannelFeed implements ChannelSubscriber {
  readonly broadcaster = new Broadcaster();
  readonly channel: AnalysisChannel;
  readonly #pubSub: PubSubPort;
  readonly #clock: ClockPort;
  readonly #telemetry: TelemetryPort;
  readonly #history: HistoryReader;
  readonly #positionCheck = new PositionCheck();
  /** All that watchers are told after the events. */
  readonly announcer: Announcer;
  /** The state as the broker has it, which this node may not have heard of yet. */
  readonly states: StateReader;
  #state: FeedState = reading();
  #latest = NOTHING_PUBLISHED;
  #viewers: ViewerList | undefined;
  #timesViewersHeard = 0;
  #subscription: ChannelSubscription | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(
    channel: AnalysisChannel,
    pubSub: PubSubPort,
    clock: ClockPort,
    telemetry: TelemetryPort,
    stallAfterMs = Number.POSITIVE_INFINITY,
  ) {
    this.channel = channel;
    this.#pubSub = pubSub;
    this.#clock = clock;
    this.#telemetry = telemetry;
    this.announcer = new Announcer(analysisIdOf(channel), stallAfterMs, () => this.broadcaster.announce());
    this.#history = new HistoryReader(channel, pubSub, clock, telemetry);
    this.states = new StateReader({ channel, pubSub, clock, telemetry, stallAfterMs });
  }

  /** The users who may watch, as last declared; undefined if nobody declared them. */
  get viewers(): ViewerList | undefined {
    return this.#viewers;
  }

  /** The channel's latest state, as this node knows it. */
  get latest(): LatestState {
    return this.#latest;
  }

  /** Whether it has everything it knows of, hence is not reading. */
  get isLive(): boolean {
    return this.#state.type === "live";
  }

  /** Resolves when everything published from now on arrives. Rejects as `PubSubPort.subscribe` and `snapshot` do. */
  async open(): Promise<void> {
    this.#subscription = await this.#pubSub.subscribe(this.channel, this);
    try {
      this.#take(await this.#snapshot());
      this.broadcaster.openAt(this.#latest.position);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#goLive();
  }

  close(): void {
    this.#state = { type: "closed" };
    this.#cancelRetry?.();
    this.#history.close();
    this.states.close();
    this.broadcaster.close();
    // Never rejects: the port says so.
    void this.#subscription?.unsubscribe();
  }

  event(event: PublishedEvent, appendedAt = this.#clock.now()): void {
    if (this.#state.type === "reading") hold(this.#state, event, appendedAt);
    if (this.#state.type !== "live") return;
    const arrival = checkArrival(this.#latest.position, event.position);
    if (arrival === "next") this.#apply(event, appendedAt);
    else if (arrival !== "known") this.resync(arrival);
  }

  viewersChanged(viewers: ViewerList): void {
    if (this.#isClosed) return;
    this.#timesViewersHeard++;
    this.#takeViewers(viewers);
  }

  cancelRequested(request: CancelRequest): void {
    if (!this.#isClosed) this.announcer.takeCancel(request);
  }

  linkRestored(): void {
    this.resync("link_restored");
  }

  /** Takes the broker's answer about the channel's position. `asked` is this node's when the question was sent. */
  comparePosition(asked: EventPosition, broker: ChannelPosition): void {
    if (!this.isLive) return;
    const reason = this.#positionCheck.judge({ asked, current: this.#latest.position, broker });
    if (reason !== undefined) this.resync(reason);
    // Events that came since the question are signs of life that the answer does not know.
    else if (isSame(asked, this.#latest.position)) this.announcer.takeReport(broker, this.#latest);
  }

  /** Reads the channel again, in the background; once more if it is being read already. */
  resync(reason: ResyncReason): void {
    if (this.#state.type === "live") void this.#resync(reason);
    else if (this.#state.type === "reading") this.#state.again = reason;
  }

  /** The place in the ring after a position; undefined if only the broker can judge that position. */
  sequenceAfter(after: EventPosition): number | undefined {
    return this.isLive ? this.broadcaster.sequenceAfter(after, this.#latest.position) : undefined;
  }

  /** As `HistoryReader.after`. The ring keeps what was read for the watchers that come next. */
  async history(after: EventPosition | undefined): Promise<HistoryStretch> {
    const { offset } = this.#latest.position;
    const read = await this.#history.after(after);
    // A broker that has less than this node had when it was asked has lost it, or is another one.
    if (read.newest.offset < offset) this.resync("shorter_history");
    if (this.isLive) this.broadcaster.remember(read, this.#latest.position, this.#clock);
    return read;
  }

  /** As `HistoryReader.untilRead`. */
  readOn(after: EventPosition | undefined): Promise<HistoryStretch> {
    return this.#history.untilRead(after);
  }

  #apply(event: PublishedEvent, appendedAt?: number): void {
    this.#latest = latestAfter(this.#latest, event);
    this.broadcaster.push(event, appendedAt);
    this.announcer.takeEvent(event, this.#latest);
  }

  /** Reads what followed the last event that is known to be right. Never rejects: without a broker it tries again. */
  async #resync(reason: ResyncReason): Promise<void> {
    this.#state = reading();
    this.#telemetry.count("telltale_resyncs_total", { reason });
    this.#telemetry.log("debug", "reading a channel again", { channel: this.channel, reason });
    try {
      await this.#catchUp();
      this.#goLive();
    } catch (error) {
      if (this.#isClosed) return;
      this.#telemetry.log(faultLevel(error), "a channel could not be read again yet", {
        channel: this.channel,
        message: reasonOf(error),
      });
      this.#cancelRetry = this.#clock.after(RESYNC_RETRY_MS, () => void this.#resync("retry"));
    }
  }

  /** Passes on what is missing. If anybody's position is gone, every reader is judged by the history that survived. */
  async #catchUp(): Promise<void> {
    for (;;) {
      const page = await this.#history.page(this.#latest.position);
      if (this.#isClosed) return;
      // A reader may be further than this node, if another node or the broker itself brought it there.
      if (!page.resumed || this.broadcaster.hasLost(page.kept)) return this.#moveToSurviving();
      for (const event of page.events) this.#apply(event);
      if (!page.more) return void (await this.#snapshot());
    }
  }

  async #moveToSurviving(): Promise<void> {
    for (;;) {
      const { arrivals } = this.broadcaster;
      const snapshot = await this.#snapshot();
      if (this.#isClosed) return;
      const { position, oldestKept, spans } = snapshot;
      // A reader that came meanwhile may be at a position that the broker had not reached when it was asked.
      if (arrivals !== this.broadcaster.arrivals && this.broadcaster.hasBeyond(position.offset)) continue;
      this.#telemetry.count("telltale_feed_restarts_total", {});
      this.#take(snapshot);
      this.broadcaster.moveTo({ oldestKept, newest: position.offset, spans }, this.#latest);
      return;
    }
  }

  /** Takes the viewers and the request to cancel at once, unless newer ones were heard since they were asked for. */
  async #snapshot(): Promise<ChannelSnapshot> {
    const [heard, { cancel }] = [this.#timesViewersHeard, this.announcer.current];
    const snapshot = await this.#pubSub.snapshot(this.channel);
    if (this.#isClosed) return snapshot;
    if (heard === this.#timesViewersHeard) this.#takeViewers(snapshot.viewers);
    if (cancel === this.announcer.current.cancel) this.announcer.takeCancel(snapshot.cancel);
    if (isSame(snapshot.position, this.#latest.position)) this.announcer.takeReport(snapshot, this.#latest);
    return snapshot;
  }

  #take(snapshot: ChannelSnapshot): void {
    const { position, lastStatus, currentTerminal } = snapshot;
    this.#latest = { position, lastStatus, currentTerminal };
    this.announcer.takeReport(snapshot, this.#latest);
  }

  #takeViewers(viewers: ViewerList | undefined): void {
    this.#viewers = viewers;
    if (viewers !== undefined) this.broadcaster.viewersChanged(viewers);
  }

  /** Events that were held are taken in order, and may show that more is missing. */
  #goLive(): void {
    if (this.#state.type !== "reading") return;
    const { held, again } = this.#state;
    this.#state = { type: "live" };
    if (again !== undefined) this.resync(again);
    else for (const { event, appendedAt } of held) this.event(event, appendedAt);
  }

  get #isClosed(): boolean {
    return this.#state.type === "closed";
  }
}
