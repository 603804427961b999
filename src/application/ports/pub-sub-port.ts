import type { ViewerList } from "../../domain/access-grant.ts";
import type { EncodedEvent } from "../../domain/analysis-event.ts";
import type { AttemptRefusal } from "../../domain/attempts.ts";
import type { AnalysisChannel, ChannelName } from "../../domain/channel.ts";
import type { PublishedEvent } from "../../domain/channel-record.ts";
import type { EpochSpan, EventPosition, KeptHistory } from "../../domain/event-position.ts";
import type { OccurrenceOffer } from "../../domain/occurrence.ts";
import type { StageMark } from "../../domain/stages.ts";
import type { BrokerCause } from "../broker-trouble.ts";

export type { AttemptRefusal, PublishedEvent, StageMark };

/**
 * Numbering, keeping and publishing events, as one port, because they must be one atomic step.
 *
 * Guarantees, each held by the contract suite:
 * - `append` resolves only after the broker stored the events; all of one call or none.
 * - Appends that this node makes to one channel share one fate with the broker, in order: when one fails, so does every
 *   one that was called before its failure was known. None is stored after its failure was told, none is stored twice.
 * - What an adapter was told to keep on replicas is there before `append` and `declareViewers` resolve, a duplicate as
 *   well; of bare messages and inbox entries nobody is told, so they wait for none.
 * - Offsets of a channel are 1, 2, 3 … without holes, over all nodes.
 * - Once `subscribe` has resolved, the next append on any node is delivered, in the order of the offsets.
 * - A subscriber is told when the link broke and was made again, because messages may be missing in between.
 * - After `unsubscribe` nothing is delivered and nothing is left behind at the broker.
 *
 * Failures: `BrokerUnavailable` where nothing was or will be stored, `OutcomeUnknown` where it may have been, but will
 * not be from now on, `NewerFormat` where the channel was written by a newer Telltale.
 */
export interface PubSubPort {
  readonly kind: string;

  append(request: AppendRequest): Promise<AppendOutcome>;

  /** What is kept beside the counter, in one command: never reads the history. */
  snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot>;

  /** Who may watch, as last declared; undefined where nobody said. In one command: reads no event. */
  viewers(channel: AnalysisChannel): Promise<ViewerList | undefined>;

  /**
   * Kept events after `after` (`undefined`: from the oldest kept), in order: at most `limit` of them and `PAGE_BYTES`
   * of their texts, of which the broker reads little more, and always one where there is one.
   */
  history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage>;

  /** Where channels stand, at most `MOST_POSITIONS` of them, in one step and one command: reads no history. */
  positions(channels: readonly AnalysisChannel[]): Promise<ChannelPositions>;

  subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription>;

  /**
   * Replaces who may watch; kept for the history's time to live from now or the channel's last event. Subscribers
   * on every node are told at once.
   */
  declareViewers(channel: AnalysisChannel, viewers: ViewerList): Promise<void>;

  /** Never waits for the broker: what the adapter knows of it now, at most 10 s old. */
  health(): BrokerHealth;

  close(): Promise<void>;
}

/**
 * How a request is known again. `key`: what the publisher called it (idempotency key), one name space per `scope`, within
 * `windowMs` of the first, by the broker's clock; `rememberMs` is how long it is remembered in all. `content`: a bare
 * message, by its place among those of the same bytes; one that was refused is known again as well. `entry`: the id of an
 * inbox entry; it was seen where an entry of this id or a later one was stored on this channel, for as long as the channel
 * has its counter.
 */
export type DeduplicationKey = SeenByKey | SeenByContent | SeenByEntry;

export interface SeenByEntry {
  readonly lane: "entry";
  /** `milliseconds-sequence`, as the inbox numbered it. */
  readonly id: string;
}

export interface SeenByKey {
  readonly lane: "key";
  readonly name: string;
  /** `channel`: per channel, gone with its counter. `notices`: one name space over all notice channels. */
  readonly scope: "channel" | "notices";
  readonly windowMs: number;
  readonly rememberMs: number;
}

/** Per channel, gone with its counter. */
export interface SeenByContent extends OccurrenceOffer {
  readonly lane: "content";
}

export interface AppendRequest {
  readonly channel: ChannelName;
  /** 1 to 500 events, as `decodeEvent` made them. */
  readonly events: readonly EncodedEvent[];
  readonly seen?: DeduplicationKey;
}

export type AppendOutcome =
  | { readonly type: "stored"; readonly epoch: string; readonly firstOffset: number; readonly count: number }
  /** Seen before: nothing was stored; the positions are those of the first time, of a content those of its last event. */
  | {
      readonly type: "duplicate";
      readonly epoch: string;
      readonly firstOffset: number;
      readonly count: number;
    }
  /** An event at `index` may not follow what the channel has; nothing of the request was stored. */
  | { readonly type: "refused"; readonly code: AttemptRefusal; readonly index: number };

/** Callbacks run synchronously, in order, and must not throw. */
export interface ChannelSubscriber {
  event(event: PublishedEvent): void;
  viewersChanged(viewers: ViewerList): void;
  /** The link was lost and is whole again: anything may have been missed since the last event. */
  linkRestored(): void;
}

export interface ChannelSubscription {
  /** Idempotent; never rejects. Nothing is delivered once it was called. */
  unsubscribe(): Promise<void>;
}

export interface ChannelSnapshot {
  /** Of the last event; offset 0 where there is none. */
  readonly position: EventPosition;
  readonly lastStatus: PublishedEvent | undefined;
  readonly currentTerminal: PublishedEvent | undefined;
  readonly stages: readonly StageMark[];
  /** The run of the worker that the analysis is in; undefined where no event named one. */
  readonly attemptId: string | undefined;
  readonly spans: readonly EpochSpan[];
  /** Offset of the oldest event kept; one more than the last where none is. */
  readonly oldestKept: number;
  readonly viewers: ViewerList | undefined;
  /** When the worker was last heard, by the broker's clock; undefined where it never was. */
  readonly heardAt: number | undefined;
  /** The broker's clock, milliseconds since 1970. */
  readonly brokerNow: number;
}

export interface HistoryPage {
  /** False where `after` is gone: then `events` starts at the oldest kept. */
  readonly resumed: boolean;
  readonly events: readonly PublishedEvent[];
  /** Whether more is kept after the last of them: a page may end before `limit`. */
  readonly more: boolean;
  /** Of the channel's last event when the page was read. */
  readonly position: EventPosition;
  /** With `position`, what it takes to judge any other position as of then. */
  readonly kept: KeptHistory;
}

/** Bytes of UTF-8 in a page of the history: so few that the broker does nothing else for a few milliseconds only. */
export const PAGE_BYTES = 1024 * 1024;

export interface ChannelPositions {
  /**
   * Names the line of history that the broker is on: another one after every restart and promotion, hence when what
   * was kept may have forked.
   */
  readonly line: string;
  /** In the order asked; epoch "" and offset 0 where there is no channel. */
  readonly positions: readonly EventPosition[];
}

/** Channels in one question about positions: few enough that the broker does nothing else for a few milliseconds only. */
export const MOST_POSITIONS = 1_000;

export type BrokerHealth = { readonly warnings: readonly string[] } & (
  | {
      readonly status: "up";
      /** Why an append would not be stored, though what is kept can be read and watched. */
      readonly refuses?: BrokerFault | undefined;
    }
  | ({ readonly status: "down" } & BrokerFault)
);

export interface BrokerFault {
  readonly cause: BrokerCause;
  /** The words for the cause: anybody may read them. */
  readonly reason: string;
}

/** Whether what is kept can be read: of a newer format it is one channel that cannot. */
export function canRead(health: BrokerHealth): boolean {
  return health.status === "up" || health.cause === "newer_format";
}
