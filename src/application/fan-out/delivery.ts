import type { ViewerList } from "../../domain/access-grant.ts";
import { isTerminalKind, reopens } from "../../domain/event-kind.ts";
import { type EventPosition, isOnHistory, type KeptHistory } from "../../domain/event-position.ts";
import type { LatestState } from "../../domain/latest-state.ts";
import type { StateFrame } from "../ports/client-connection-port.ts";
import type { PublishedEvent } from "../ports/pub-sub-port.ts";
import { NOTHING_ANNOUNCED, newsSince } from "./announcements.ts";
import type { Broadcaster, RingReader } from "./broadcaster.ts";
import type { ConnectionWriter, FrameSource } from "./connection-writer.ts";
import type { DeliveryRequest } from "./delivery-request.ts";
import { type DeliveryState, type Replaying, type ReplaySource, STATE } from "./delivery-state.ts";
import {
  type DeliveryStart,
  leadsTo,
  partOf,
  placeAfter,
  replaying,
  startAfresh,
  startOnSurviving,
} from "./replay.ts";

/** One watcher's place on one channel: first the replay, then a cursor into the ring. */
export class Delivery implements RingReader, FrameSource {
  readonly #request: DeliveryRequest;
  readonly #writer: ConnectionWriter;
  readonly #broadcaster: Broadcaster;
  readonly #replays: ReplaySource | undefined;
  #state: DeliveryState = STATE.held;
  #cursor: number;
  /** Events before this in the ring belong to the replay, which is never conflated. */
  #conflatedFrom: number;
  /** The position of the last event that the client was sent, or where it began; undefined until that is known. */
  #position: EventPosition | undefined;
  /** Whether the client has anything of the history up to there: if not, nothing that it has can be lost. */
  #hasSeen: boolean;
  #hasCurrentTerminal = false;
  #told = NOTHING_ANNOUNCED;
  #isCaughtUp = false;

  /** The ring keeps everything for it at once; nothing is sent before `begin`. Without `replays` it is live only. */
  constructor(request: DeliveryRequest, broadcaster: Broadcaster, replays?: ReplaySource) {
    const { after } = request.replay;
    this.#request = request;
    this.#writer = request.writer;
    this.#broadcaster = broadcaster;
    this.#replays = replays;
    this.#cursor = this.#conflatedFrom = broadcaster.next;
    this.#position = after === "unreadable" ? undefined : after;
    this.#hasSeen = this.#position !== undefined;
    broadcaster.add(this);
  }

  get cursor(): number {
    return this.#cursor;
  }

  /** All that the client is to get up to there was sent; undefined before the first event. */
  get position(): EventPosition | undefined {
    return this.#position;
  }

  /** Whether the client's position survived a move of the history before the delivery began; undefined without one. */
  get survivedMove(): boolean | undefined {
    return this.#state.type === "held" ? this.#state.moved?.survived : undefined;
  }

  /** While it is held: the ring keeps everything from `sequence` on, which it still has. */
  holdFrom(sequence: number): void {
    if (this.#state === STATE.held) this.#cursor = sequence;
  }

  /** Begins at `start`, or with the surviving history if that moved after `start` was read. */
  begin(start: DeliveryStart): void {
    if (this.#state.type !== "held") return;
    this.#startAt(this.#state.moved?.start ?? start);
    this.#broadcaster.noteBegun();
    this.#writer.addSource(this);
    this.flush();
  }

  hasLost(kept: KeptHistory): boolean {
    return this.#hasBegun && this.#position !== undefined && !isOnHistory(this.#position, kept);
  }

  isBeyond(offset: number): boolean {
    return this.#position !== undefined && this.#position.offset > offset;
  }

  moveTo(kept: KeptHistory, latest: LatestState): void {
    if (this.#state.type === "stopped") return;
    const cursor = this.#broadcaster.next;
    const position = this.#position;
    const resumed = position && startOnSurviving(position, this.#hasSeen, kept, latest, cursor);
    if (this.#state.type === "held") {
      const start = resumed ?? startAfresh(this.#request.replay.mode, latest, cursor);
      this.#state = { type: "held", moved: { start, survived: resumed !== undefined } };
      this.#cursor = cursor;
    } else if (resumed !== undefined) this.#startAt(resumed);
    else this.#startAfresh(latest, position !== undefined);
    this.flush();
  }

  viewersChanged(viewers: ViewerList): void {
    this.#request.owner.viewersChanged(viewers);
  }

  /** The channel goes on without it. */
  failed(error: unknown): void {
    this.stop();
    this.#request.owner.failed(error);
  }

  /** Idempotent. */
  stop(): void {
    this.#state = STATE.stopped;
    this.#writer.removeSource(this);
    this.#broadcaster.remove(this);
  }

  flush(): void {
    if (!this.#hasBegun || this.#writer.gone) return;
    if (!this.#writer.open) {
      if (this.#state.type === "replaying") this.#state.isLagging = true;
      else this.#state = STATE.lagging;
      this.#skipSuperseded();
      const isTooMuch = this.#writer.noteWaiting(this, this.#broadcaster.waitingFrom(this.#cursor));
      if (isTooMuch) this.#request.owner.tooSlow();
      return;
    }
    this.#writer.drainFrom(this);
    if (this.peek() !== undefined) return;
    const state = this.#state;
    if (state.type === "stopped") return;
    if (state.type === "replaying")
      return void this.#readRest(state).catch((error: unknown) => this.failed(error));
    this.#state = STATE.live;
    if (!this.#isCaughtUp) this.#tellCaughtUp();
    this.#announce();
    if (this.#request.untilTerminal && this.#hasCurrentTerminal) this.#request.owner.finished();
  }

  peek(): PublishedEvent | StateFrame | undefined {
    const state = this.#state;
    if (state.type === "replaying") return state.next < state.to ? state.events[state.next] : undefined;
    if (state.type === "stopped") return undefined;
    if (state.type === "lagging") this.#skipSuperseded();
    return this.#broadcaster.at(this.#cursor);
  }

  advance(): number | undefined {
    const event = this.peek();
    if (event === undefined) return;
    this.#position = event.position;
    this.#hasSeen = true;
    if (event.kind === "analysis_state") this.#hasCurrentTerminal = event.hasEnded;
    else if (isTerminalKind(event.kind)) this.#hasCurrentTerminal = true;
    else if (event.reopens || reopens(event.kind)) this.#hasCurrentTerminal = false;
    const state = this.#state;
    if (state.type !== "replaying") return this.#broadcaster.appendedAt(this.#cursor++);
    if (++state.next === state.to && state.rest === undefined)
      this.#state = state.isLagging ? STATE.lagging : STATE.live;
    return;
  }

  get many(): boolean {
    const state = this.#state;
    if (state.type === "replaying") return state.to - state.next > 1;
    return this.#broadcaster.next - this.#cursor > 1;
  }

  get #hasBegun(): boolean {
    return this.#state.type !== "held" && this.#state.type !== "stopped";
  }

  #tellCaughtUp(): void {
    this.#isCaughtUp = true;
    const position = this.#position ?? this.#replays?.latest.position;
    if (position !== undefined) this.#request.owner.caughtUp(position);
  }

  #announce(): void {
    const announcements = this.#replays?.announcer.current ?? NOTHING_ANNOUNCED;
    if (announcements === this.#told) return;
    for (const frame of newsSince(this.#told, announcements)) this.#writer.sendControl(frame);
    this.#told = announcements;
  }

  #skipSuperseded(): void {
    if (!this.#request.conflates || this.#cursor < this.#conflatedFrom) return;
    const from = this.#cursor;
    this.#cursor = this.#broadcaster.pastSuperseded(from);
    this.#writer.meter.conflated(this.#cursor - from);
  }

  #startAt({ replay, cursor, position, hasSeen, hasCurrentTerminal }: DeliveryStart): void {
    this.#send(replay);
    this.#cursor = cursor;
    this.#conflatedFrom = this.#broadcaster.next;
    this.#position = position;
    this.#hasSeen = hasSeen;
    this.#hasCurrentTerminal = hasCurrentTerminal;
  }

  #send(replay: Replaying | undefined): void {
    const state = this.#state;
    const isLagging = state.type === "replaying" ? state.isLagging : state.type === "lagging";
    if (replay !== undefined) replay.isLagging = isLagging;
    this.#state = replay ?? (isLagging ? STATE.lagging : STATE.live);
  }

  /** The channel tries until the broker answers: rejects only if the connection itself throws. */
  async #readRest(state: Replaying): Promise<void> {
    const replays = this.#replays;
    if (state.rest === undefined || replays === undefined || state.isReadingRest) return;
    state.isReadingRest = true;
    if (state.rest === "state") return this.#readState(state, replays);
    const read = await replays.readOn(state.rest.after);
    // It was stopped meanwhile, or the history moved and another replay began.
    if (this.#state !== state) return;
    state.isReadingRest = false;
    if (!read.resumed) this.#startAfresh(replays.latest, true);
    else if (leadsTo(read, state.rest.until)) this.#send(partOf(read, state.rest));
    else return replays.resync("replay_broken_off");
    this.flush();
  }

  async #readState(state: Replaying, replays: ReplaySource): Promise<void> {
    const frame = await replays.states.untilRead();
    if (this.#state !== state || frame === undefined) return;
    this.#cursor = placeAfter(
      frame.position,
      { latest: replays.latest, broadcaster: this.#broadcaster },
      this.#cursor,
    );
    this.#send(replaying([frame], 0, 1, undefined));
    this.flush();
  }

  /** The client is not told if it was sent nothing and its first events come now. */
  #startAfresh(latest: LatestState, told: boolean): void {
    const { mode, after } = this.#request.replay;
    // A watcher that asked for no replay has watched since: the latest state holds what it missed.
    const again = mode === "state" || (mode === "all" && after === undefined) ? mode : "latest";
    this.#startAt(startAfresh(again, latest, this.#broadcaster.next));
    this.#told = NOTHING_ANNOUNCED;
    this.#isCaughtUp = false;
    if (told) this.#request.owner.startsAfresh();
  }
}
