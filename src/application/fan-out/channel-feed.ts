import type { ViewerList } from "../../domain/access-grant.ts";
import { type ByteBudget, Filling } from "../../domain/byte-budget.ts";
import type { AnalysisChannel } from "../../domain/channel.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import { type LatestState, latestAfter, NOTHING_PUBLISHED } from "../../domain/latest-state.ts";
import { utf8Length } from "../../domain/utf8.ts";
import { faultLevel, reasonOf } from "../errors.ts";
import type { ClockPort } from "../ports/clock-port.ts";
import type { ResyncReason } from "../ports/metric-catalogue.ts";
import type {
  ChannelPosition,
  ChannelSnapshot,
  ChannelSubscriber,
  ChannelSubscription,
  PublishedEvent,
  PubSubPort,
} from "../ports/pub-sub-port.ts";
import type { TelemetryPort } from "../ports/telemetry-port.ts";
import { Broadcaster } from "./broadcaster.ts";
import { HistoryReader, type HistoryStretch } from "./history-reader.ts";
import { checkArrival, PositionCheck } from "./position-check.ts";

const RESYNC_RETRY_MS = 500;
/** How much is held while a read is out; if more arrives, the channel is read once more. */
const HELD_WHILE_READING: ByteBudget = { items: 1_000, bytes: 4 * 1024 * 1024 };

type FeedState = Reading | { readonly type: "live" } | { readonly type: "closed" };

/** Opening, or reading again: events that arrive meanwhile are held, in order. */
interface Reading {
  readonly type: "reading";
  readonly held: PublishedEvent[];
  readonly filling: Filling;
  /** Why the channel has to be read once more; then nothing is held. */
  again: ResyncReason | undefined;
}

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
  #state: FeedState = reading();
  #latest = NOTHING_PUBLISHED;
  #viewers: ViewerList | undefined;
  #timesViewersHeard = 0;
  #subscription: ChannelSubscription | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(channel: AnalysisChannel, pubSub: PubSubPort, clock: ClockPort, telemetry: TelemetryPort) {
    this.channel = channel;
    this.#pubSub = pubSub;
    this.#clock = clock;
    this.#telemetry = telemetry;
    this.#history = new HistoryReader(channel, pubSub, clock, telemetry);
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
    this.broadcaster.close();
    // Never rejects: the port says so.
    void this.#subscription?.unsubscribe();
  }

  event(event: PublishedEvent): void {
    if (this.#state.type === "reading") hold(this.#state, event);
    if (this.#state.type !== "live") return;
    const arrival = checkArrival(this.#latest.position, event.position);
    if (arrival === "next") this.#apply(event);
    else if (arrival !== "known") this.resync(arrival);
  }

  viewersChanged(viewers: ViewerList): void {
    if (this.#isClosed) return;
    this.#timesViewersHeard++;
    this.#takeViewers(viewers);
  }

  linkRestored(): void {
    this.resync("link_restored");
  }

  /** Takes the broker's answer about the channel's position. `asked` is this node's when the question was sent. */
  comparePosition(asked: EventPosition, broker: ChannelPosition): void {
    if (!this.isLive) return;
    const reason = this.#positionCheck.judge({ asked, current: this.#latest.position, broker });
    if (reason !== undefined) this.resync(reason);
  }

  /** Reads the channel again, in the background; once more if it is being read already. */
  resync(reason: ResyncReason): void {
    if (this.#state.type === "live") void this.#resync(reason);
    else if (this.#state.type === "reading") this.#state.again = reason;
  }

  /** Whether the broker has a current terminal event: this node may not have heard of it yet. */
  hasCurrentTerminal(): Promise<boolean> {
    return this.#history.hasCurrentTerminal();
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

  #apply(event: PublishedEvent): void {
    this.#latest = latestAfter(this.#latest, event);
    this.broadcaster.push(event);
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

  /** Takes the viewers at once, unless a newer list was heard since it was asked for. */
  async #snapshot(): Promise<ChannelSnapshot> {
    const heard = this.#timesViewersHeard;
    const snapshot = await this.#pubSub.snapshot(this.channel);
    if (!this.#isClosed && heard === this.#timesViewersHeard) this.#takeViewers(snapshot.viewers);
    return snapshot;
  }

  #take({ position, lastStatus, currentTerminal }: ChannelSnapshot): void {
    this.#latest = { position, lastStatus, currentTerminal };
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
    else for (const event of held) this.event(event);
  }

  get #isClosed(): boolean {
    return this.#state.type === "closed";
  }
}

function reading(): Reading {
  return { type: "reading", held: [], filling: new Filling(HELD_WHILE_READING), again: undefined };
}

function hold(state: Reading, event: PublishedEvent): void {
  if (state.again === undefined && state.filling.take(utf8Length(event.text))) state.held.push(event);
  else {
    state.held.length = 0;
    state.again ??= "held_too_much";
  }
}
