import { DEAD_LETTERS, type KeptDeadLetter } from "../../application/ports/dead-letter-port.ts";
import type { ChannelSubscriber, PublishedEvent } from "../../application/ports/pub-sub-port.ts";
import type { ViewerList } from "../../domain/access-grant.ts";
import {
  type CancelRequest,
  cancelAtEnd,
  cancelInForce,
  type KeptCancel,
} from "../../domain/cancel-request.ts";
import type { AnalysisChannel, ChannelName } from "../../domain/channel.ts";
import { randomEpoch } from "../system/random-epoch.ts";
import { DeduplicationMemory } from "./deduplication-memory.ts";
import { KeptChannel } from "./kept-channel.ts";
import { KeptDeadLetters } from "./kept-dead-letters.ts";
import { KeptInbox } from "./kept-inbox.ts";

/** One node's listener at the broker. */
export interface Listener {
  readonly subscriber: ChannelSubscriber;
  active: boolean;
  /** Called if the subscriber threw, for the publisher must not see it. */
  failed(error: unknown): void;
}

interface PublishedBare {
  readonly channel: string;
  readonly payload: string;
}

/** Called with each message and a name that no other message has. */
type WorkerListener = (message: PublishedBare, name: string) => void;

/** Something that is kept beside a channel, and as long as the channel. */
interface Beside<Kept> {
  readonly kept: Kept;
  expiresAt: number;
}

type Dispatch = (subscriber: ChannelSubscriber) => void;

/**
 * A broker in the memory of this process. Several `InMemoryPubSub` on one broker are several nodes.
 * Times are those of the caller's clock, in milliseconds.
 */
export class InMemoryBroker {
  #seenNotices = new DeduplicationMemory();
  readonly seenDeadLetters = new DeduplicationMemory();
  readonly inbox = new KeptInbox();
  /** The analyses that may be running, with when they are to be looked at. */
  readonly running = new Map<AnalysisChannel, number>();
  readonly keptDeadLetters = new KeptDeadLetters(DEAD_LETTERS);
  readonly #channels = new Map<ChannelName, KeptChannel>();
  readonly #viewers = new Map<ChannelName, Beside<ViewerList>>();
  readonly #cancels = new Map<ChannelName, Beside<KeptCancel>>();
  readonly #listeners = new Map<ChannelName, Set<Listener>>();
  readonly #workers = new Set<WorkerListener>();
  #bareMessages = 0;
  readonly #dispatches: { readonly to: readonly Listener[]; readonly dispatch: Dispatch }[] = [];
  #delivering = false;

  /** Oldest first. */
  get deadLetters(): readonly KeptDeadLetter[] {
    return this.keptDeadLetters.all();
  }

  /** One name space over all notice channels. */
  get seenNotices(): DeduplicationMemory {
    return this.#seenNotices;
  }

  /** The channel, unless it has expired. */
  find(channel: ChannelName, now: number): KeptChannel | undefined {
    const found = this.#channels.get(channel);
    return found === undefined || now >= found.expiresAt ? undefined : found;
  }

  findOrBegin(channel: ChannelName, now: number): KeptChannel {
    return this.find(channel, now) ?? new KeptChannel(randomEpoch());
  }

  /** Keeps the channel, and everything beside it that has not expired, until `expiresAt`. */
  keep(channel: ChannelName, kept: KeptChannel, now: number, expiresAt: number): void {
    kept.expiresAt = expiresAt;
    moveToEnd(this.#channels, channel, kept);
    const declared = this.viewersOf(channel, now);
    if (declared !== undefined) this.keepViewers(channel, declared, expiresAt);
    const cancel = this.#cancels.get(channel);
    if (cancel === undefined) return;
    if ((this.cancelOf(channel, now) ?? this.cancelAtEndOf(channel, now)) === undefined)
      this.#cancels.delete(channel);
    else moveToEnd(this.#cancels, channel, { kept: cancel.kept, expiresAt });
  }

  viewersOf(channel: ChannelName, now: number): ViewerList | undefined {
    const declared = this.#viewers.get(channel);
    return declared === undefined || now >= declared.expiresAt ? undefined : declared.kept;
  }

  keepViewers(channel: ChannelName, viewers: ViewerList, expiresAt: number): void {
    moveToEnd(this.#viewers, channel, { kept: viewers, expiresAt });
  }

  /** The request to cancel that is in force. */
  cancelOf(channel: ChannelName, now: number): CancelRequest | undefined {
    return cancelInForce(this.#keptCancel(channel, now), recordOf(this.find(channel, now)));
  }

  /** The request to cancel that was in force when the run ended. */
  cancelAtEndOf(channel: ChannelName, now: number): CancelRequest | undefined {
    return cancelAtEnd(this.#keptCancel(channel, now), recordOf(this.find(channel, now)));
  }

  #keptCancel(channel: ChannelName, now: number): KeptCancel | undefined {
    const cancel = this.#cancels.get(channel);
    return cancel === undefined || now >= cancel.expiresAt ? undefined : cancel.kept;
  }

  /** Keeps a request as long as the channel: if there is none, for `ttlMs`. */
  keepCancel(channel: ChannelName, request: CancelRequest, now: number, ttlMs: number): void {
    const kept = this.find(channel, now);
    const after = kept?.position.offset ?? 0;
    const expiresAt = kept?.expiresAt ?? now + ttlMs;
    moveToEnd(this.#cancels, channel, { kept: { request, after }, expiresAt });
  }

  addListener(channel: ChannelName, listener: Listener): void {
    const listeners = this.#listeners.get(channel);
    if (listeners === undefined) this.#listeners.set(channel, new Set([listener]));
    else listeners.add(listener);
  }

  removeListener(channel: ChannelName, listener: Listener): void {
    listener.active = false;
    const listeners = this.#listeners.get(channel);
    if (listeners?.delete(listener) && listeners.size === 0) this.#listeners.delete(channel);
  }

  listeningOn(): readonly ChannelName[] {
    return [...this.#listeners.keys()];
  }

  publish(channel: ChannelName, events: readonly PublishedEvent[]): void {
    for (const event of events) this.#deliver(channel, (subscriber) => subscriber.event(event));
  }

  announceViewers(channel: ChannelName, viewers: ViewerList): void {
    this.#deliver(channel, (subscriber) => subscriber.viewersChanged(viewers));
  }

  announceCancel(channel: ChannelName, request: CancelRequest): void {
    this.#deliver(channel, (subscriber) => subscriber.cancelRequested(request));
  }

  addWorkerListener(heard: WorkerListener): () => void {
    this.#workers.add(heard);
    return () => this.#workers.delete(heard);
  }

  get workerListeners(): number {
    return this.#workers.size;
  }

  /** A worker's bare PUBLISH. Every node that listens now hears it, and nobody else ever. */
  publishBare(message: PublishedBare): void {
    const name = `memory.${++this.#bareMessages}.`;
    for (const heard of [...this.#workers]) heard(message, name);
  }

  forgetExpired(now: number): void {
    dropFront(this.#channels, now);
    dropFront(this.#viewers, now);
    dropFront(this.#cancels, now);
    for (const kept of this.#channels.values()) {
      kept.seen.forgetExpired(now);
      kept.heard.forgetExpired(now);
    }
    this.#seenNotices.forgetExpired(now);
    this.seenDeadLetters.forgetExpired(now);
  }

  get size(): { readonly channels: number; readonly viewers: number } {
    return { channels: this.#channels.size, viewers: this.#viewers.size };
  }

  /** Forgets everything it kept, as a broker that lost its memory. Its listeners go on listening. */
  loseEverything(): void {
    this.#channels.clear();
    this.#viewers.clear();
    this.#cancels.clear();
    this.running.clear();
    this.#seenNotices = new DeduplicationMemory();
    this.inbox.loseEverything();
  }

  #deliver(channel: ChannelName, dispatch: Dispatch): void {
    const listeners = this.#listeners.get(channel);
    if (listeners === undefined) return;
    this.#dispatches.push({ to: [...listeners], dispatch });
    // A subscriber may append. Its events wait until every listener has the ones before.
    if (this.#delivering) return;
    this.#delivering = true;
    for (let next = this.#dispatches.shift(); next !== undefined; next = this.#dispatches.shift()) {
      for (const listener of next.to) if (listener.active) deliverTo(listener, next.dispatch);
    }
    this.#delivering = false;
  }
}

function recordOf(kept: KeptChannel | undefined) {
  return {
    offset: kept?.position.offset ?? 0,
    currentTerminal: kept?.currentTerminal,
    stages: kept?.stages ?? [],
    run: kept?.run,
  };
}

function deliverTo(listener: Listener, dispatch: Dispatch): void {
  try {
    dispatch(listener.subscriber);
  } catch (error) {
    listener.failed(error);
  }
}

/** Keeps a map in the order in which its entries expire, so that expiring costs time in proportion to their number. */
function moveToEnd<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
}

function dropFront<K>(map: Map<K, { readonly expiresAt: number }>, now: number): void {
  for (const [key, { expiresAt }] of map) {
    if (now < expiresAt) return;
    map.delete(key);
  }
}
