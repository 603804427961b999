import { type ChannelRecord, cancelInForce, type KeptCancel, newRecord, randomEpoch } from "telltale/adapter";
import type {
  CancelRequest,
  ChannelName,
  DeadLetterKind,
  KeptDeadLetter,
  PublishedEvent,
  ViewerList,
} from "telltale/ports";

/** Where a request was stored the first time. */
export interface Place {
  readonly epoch: string;
  readonly firstOffset: number;
  readonly count: number;
}

/** A name that is recognised until a time. All times are in milliseconds since 1970. */
interface Seen {
  readonly at: number;
  readonly until: number;
}

/** The dead letters of one kind, oldest first. */
export interface KeptKind {
  readonly kept: KeptDeadLetter[];
  bytes: number;
}

export interface KeptChannel {
  /** The counter, and everything that trimming the history may not take. */
  readonly record: ChannelRecord;
  history: PublishedEvent[];
  readonly seen: Map<string, Seen & Place>;
  heardAt: number;
  expiresAt: number;
}

export interface Listener {
  event(event: PublishedEvent): void;
  viewersChanged(viewers: ViewerList): void;
  cancelRequested(request: CancelRequest): void;
}

/** The broker itself. A real one is a server, and lives outside the gateway. */
export class Store {
  /** Another one whenever events may have been lost. */
  lineage = randomEpoch();
  readonly channels = new Map<ChannelName, KeptChannel>();
  readonly viewers = new Map<ChannelName, { readonly viewers: ViewerList; expiresAt: number }>();
  readonly cancels = new Map<ChannelName, { readonly kept: KeptCancel; expiresAt: number }>();
  readonly noticesSeen = new Map<string, Seen & Place>();
  readonly listeners = new Map<ChannelName, Set<Listener>>();
  readonly deadLetters = new Map<DeadLetterKind, KeptKind>();
  readonly deadLettersSeen = new Map<string, Seen>();
  #ids = 0;

  find(channel: ChannelName, now: number): KeptChannel | undefined {
    const found = this.channels.get(channel);
    return found !== undefined && now < found.expiresAt ? found : undefined;
  }

  viewersOf(channel: ChannelName, now: number): ViewerList | undefined {
    const declared = this.viewers.get(channel);
    return declared !== undefined && now < declared.expiresAt ? declared.viewers : undefined;
  }

  /** The request to cancel that is in force. */
  cancelOf(channel: ChannelName, now: number): CancelRequest | undefined {
    const cancel = this.cancels.get(channel);
    if (cancel === undefined || now >= cancel.expiresAt) return undefined;
    return cancelInForce(cancel.kept, this.find(channel, now)?.record ?? NO_EVENTS);
  }

  deadLettersOf(kind: DeadLetterKind): KeptKind {
    const found = this.deadLetters.get(kind) ?? { kept: [], bytes: 0 };
    this.deadLetters.set(kind, found);
    return found;
  }

  /** An id that no dead letter had before. */
  nextId(): string {
    return `${++this.#ids}`;
  }

  /** Tells those that listen now, later: one of them may append meanwhile, and its event comes after this one. */
  tell(channel: ChannelName, say: (listener: Listener) => void): void {
    const listeners = this.listeners.get(channel);
    for (const listener of listeners ?? [])
      queueMicrotask(() => {
        if (listeners?.has(listener)) say(listener);
      });
  }

  forgetExpired(now: number): void {
    for (const map of [this.channels, this.viewers, this.cancels])
      for (const [name, { expiresAt }] of map) if (now >= expiresAt) map.delete(name);
    const seen = [...this.channels.values()].map((kept) => kept.seen);
    for (const names of [this.noticesSeen, this.deadLettersSeen, ...seen])
      for (const [name, { until }] of names) if (now >= until) names.delete(name);
  }

  loseEverything(): void {
    this.lineage = randomEpoch();
    for (const map of [this.channels, this.viewers, this.cancels, this.noticesSeen]) map.clear();
    for (const map of [this.deadLetters, this.deadLettersSeen]) map.clear();
  }
}

const NO_EVENTS = { offset: 0, currentTerminal: undefined, stages: [] };

/** A channel without events. Its epoch is one that no other life of the channel had. */
export function newChannel(): KeptChannel {
  return { record: newRecord(randomEpoch()), history: [], seen: new Map(), heardAt: 0, expiresAt: 0 };
}
