import type { ViewerList } from "../../domain/access-grant.ts";
import type { EncodedEvent } from "../../domain/analysis-event.ts";
import type { AttemptRefusal } from "../../domain/attempts.ts";
import type { CancelRequest } from "../../domain/cancel-request.ts";
import type { AnalysisChannel, ChannelName } from "../../domain/channel.ts";
import type { PublishedEvent } from "../../domain/channel-record.ts";
import type { EpochSpan, EventPosition, KeptHistory } from "../../domain/event-position.ts";
import type { StageMark } from "../../domain/stages.ts";
import type { BrokerHealth } from "./broker-health.ts";
import type { DeduplicationKey } from "./deduplication-key.ts";

export type { AttemptRefusal, CancelRequest, PublishedEvent, StageMark };

/**
 * The event log of a broker. It numbers, keeps and publishes events; this is one port because the three must be one
 * atomic step.
 *
 * docs/PROTOCOL.md has the rules in parentheses. The contract suite of `telltale/testing` holds each of them but PS-30 to
 * PS-32: only a broker that can be late or has replicas can break these, so its own tests hold them.
 *
 * Failures of every method that asks the broker:
 * - `BrokerUnavailable`: the broker stored nothing and will store nothing.
 * - `OutcomeUnknown`: the broker may have stored it. From now on it will not (PS-30).
 * - `NewerFormat`: a newer Telltale wrote the channel, which stays as it is (PS-25).
 * - `RequestTooLarge`: the broker takes no request of this size, and stored nothing (PS-37).
 */
export interface PubSubPort {
  /** The name of the broker's product, for `/ws/health`. */
  readonly kind: string;

  /**
   * The most bytes of UTF-8 that the texts of one request's events may have, as they came in (PS-37): `MAX_EVENT_BYTES`
   * (1 MiB), or fewer if the broker takes fewer. An adapter that learns it from the broker answers 1 MiB until it has.
   */
  readonly mostBytes: number;

  /** How long the broker keeps what it acknowledged, as far as the adapter knows by now. Never waits for the broker. */
  readonly durability: Durability;

  /**
   * Stores the events of one request on one channel.
   *
   * - It resolves only after the broker stored the events (PS-1).
   * - The broker stores and delivers all events of the request or none (PS-2).
   * - It gives a channel the offsets 1, 2, 3 … without holes, over all nodes (PS-3).
   * - It stores the appends of one node in the order of the calls (PS-4).
   * - If an append fails, every append fails that this node called for the same channel before it knew (PS-29).
   * - The broker stores no append whose failure was told (PS-30).
   * - The broker stores no append twice (PS-31).
   * - A duplicate stores nothing and resolves with the positions of the first request (PS-9).
   * - A refused request stores nothing and says which event was refused (PS-13).
   * - A request that is too large rejects at once with `RequestTooLarge`, and fails no other append (PS-37).
   * - If the adapter was told to keep events on replicas, they have them, duplicates too, before it resolves (PS-32).
   *   Nobody waits for the answer to a bare message or an inbox entry, so those wait for no replica.
   */
  append(request: AppendRequest): Promise<AppendOutcome>;

  /**
   * Resolves with what the broker keeps beside the counter, in one question (PS-17).
   *
   * It stays right if the events that it was made of are trimmed (PS-18). The broker does not read the history for it.
   */
  snapshot(channel: AnalysisChannel): Promise<ChannelSnapshot>;

  /** Resolves with the viewers that were last declared; undefined if nobody declared any (PS-24). Reads no event. */
  viewers(channel: AnalysisChannel): Promise<ViewerList | undefined>;

  /**
   * Resolves with kept events after `after`, in order (PS-19). If `after` is undefined they begin at the oldest kept.
   *
   * A page holds at most `limit` events and `PAGE_BYTES` of their texts, and at least one event if there is one (BUD-2).
   * If `after` is gone the page begins at the oldest kept and says so (PS-20).
   */
  history(channel: ChannelName, after: EventPosition | undefined, limit: number): Promise<HistoryPage>;

  /**
   * Resolves with the last position of each channel, in the order asked (PS-27). Asks for at most `MOST_POSITIONS`, in
   * one step and one question. The broker does not read any history for it. Undefined stands for a channel that the broker
   * just moves from one server to another.
   */
  positions(channels: readonly AnalysisChannel[]): Promise<readonly (ChannelPosition | undefined)[]>;

  /**
   * Listens to a channel until it is unsubscribed.
   *
   * - Once it has resolved, the next append on any node is delivered (PS-6).
   * - Events are delivered in the order of their offsets, each once (PS-6, PS-7).
   */
  subscribe(channel: ChannelName, subscriber: ChannelSubscriber): Promise<ChannelSubscription>;

  /**
   * Replaces the viewers of an analysis (PS-24).
   *
   * - The broker tells subscribers on every node at once.
   * - It keeps the list for the history's time to live, counted from now or from the channel's last event.
   * - It resolves when the replicas that were asked for have the list (PS-32).
   */
  declareViewers(channel: AnalysisChannel, viewers: ViewerList): Promise<void>;

  /**
   * Keeps a request to cancel an analysis, also of one without events (PS-38). If one is in force already, that one stays.
   *
   * - The broker tells subscribers on every node of a new one.
   * - It keeps it as it keeps viewers. A new attempt or a terminal event ends it, in one step with the append (PS-39).
   * - `ended`: a terminal event is current, and nothing was kept.
   *
   * An adapter may leave out this method and the next. Then nothing can be cancelled, and a sign of life has no effect.
   */
  requestCancel?(channel: AnalysisChannel, request: CancelRequest): Promise<"requested" | "ended">;

  /**
   * Renews when the worker was last heard (PS-40). An analysis without events stays as it is. `attemptId` is the run that
   * the worker names: if another has replaced it, nothing is renewed, and the answer is empty (PS-43).
   */
  signOfLife?(channel: AnalysisChannel, attemptId?: string): Promise<WorkerAnswer>;

  /**
   * The state of the broker as the adapter knows it, at most 10 s old. Never waits for the broker. With a channel it is that of
   * the part of the broker that has the channel, if the broker has parts that fail by themselves.
   */
  health(channel?: ChannelName): BrokerHealth;

  /** Closes the connections. Idempotent. */
  close(): Promise<void>;
}

/** The faults that an acknowledged event survives. docs/GUARANTEES.md says which settings of a broker give which. */
export interface Durability {
  /**
   * `process`: it is gone with the process of the gateway. `memory`: it is gone with the process of the broker. `disk`: it
   * survives the end of both. Undefined as long as nobody knows.
   */
  readonly keptIn: "process" | "memory" | "disk" | undefined;
  /** How many servers beside the first have it before it is acknowledged; undefined as long as nobody knows. */
  readonly replicas: number | undefined;
}

export interface AppendRequest {
  readonly channel: ChannelName;
  /** 1 to 500 events, as `decodeEvent` made them. */
  readonly events: readonly EncodedEvent[];
  /** How the broker recognises the request if it comes again. Without a key every request is new. */
  readonly deduplicate?: DeduplicationKey;
}

/** An answer to a worker. */
export interface WorkerAnswer {
  /** Present if a request to cancel is in force. A node may leave it out if nobody is told of the outcome. */
  readonly cancelRequested?: true;
}

/** An epoch is 1 to 32 characters of `0-9a-z`, so that `parseEventId` reads it back. */
export type AppendOutcome =
  | (WorkerAnswer & {
      readonly type: "stored";
      readonly epoch: string;
      readonly firstOffset: number;
      readonly count: number;
    })
  /**
   * The broker had the request before and stored nothing. The positions are those of the first time; of an occurrence
   * those of its last event.
   */
  | (WorkerAnswer & {
      readonly type: "duplicate";
      readonly epoch: string;
      readonly firstOffset: number;
      readonly count: number;
    })
  /** The event at `index` may not follow what the channel has. The broker stored nothing of the request. */
  | { readonly type: "refused"; readonly code: AttemptRefusal; readonly index: number };

/** The adapter calls these synchronously and in order. A callback that throws harms no other subscriber (PS-7). */
export interface ChannelSubscriber {
  /**
   * `appendedAt` is when the broker appended it, in milliseconds since 1970 by the gateway's own clock, never later than
   * now. An adapter that cannot tell leaves it out: then the time to deliver counts from now.
   */
  event(event: PublishedEvent, appendedAt?: number): void;
  viewersChanged(viewers: ViewerList): void;
  cancelRequested(request: CancelRequest): void;
  /** The link was lost and is whole again: the node may have missed anything since the last event. */
  linkRestored(): void;
}

export interface ChannelSubscription {
  /**
   * Ends the subscription. Idempotent; never rejects.
   *
   * - The adapter delivers nothing once it was called (PS-8).
   * - It leaves nothing behind at the broker.
   */
  unsubscribe(): Promise<void>;
}

export interface ChannelSnapshot {
  /** The position of the last event; offset 0 if there is none. */
  readonly position: EventPosition;
  readonly lastStatus: PublishedEvent | undefined;
  readonly currentTerminal: PublishedEvent | undefined;
  readonly stages: readonly StageMark[];
  /** The run of the worker that the analysis is in; undefined if no event named one. */
  readonly attemptId: string | undefined;
  readonly spans: readonly EpochSpan[];
  /** Offset of the oldest event kept; one more than the last if none is. */
  readonly oldestKept: number;
  readonly viewers: ViewerList | undefined;
  /** The request to cancel that is in force. */
  readonly cancel?: CancelRequest | undefined;
  /** The request that was in force when the analysis ended (PS-45). An adapter may leave it out. */
  readonly cancelAtEnd?: CancelRequest | undefined;
  /** When the worker was last heard, in milliseconds since 1970 by the broker's clock; undefined if it never was. */
  readonly heardAt: number | undefined;
  /** The broker's clock, in milliseconds since 1970. */
  readonly brokerNow: number;
}

export interface HistoryPage {
  /** False if `after` is gone. Then `events` begins at the oldest kept. */
  readonly resumed: boolean;
  readonly events: readonly PublishedEvent[];
  /** Whether more is kept after the last of them. A page may end before `limit`. */
  readonly more: boolean;
  /** The position of the channel's last event when the page was read. */
  readonly position: EventPosition;
  /** With `position` all that it takes to judge any other position as of the same instant (PS-26). */
  readonly kept: KeptHistory;
}

/** The most bytes of UTF-8 in a page of the history. The broker serves nobody else while it reads a page. */
export const PAGE_BYTES = 1024 * 1024;

/** Epoch "" and offset 0 if the channel has no event. */
export interface ChannelPosition extends EventPosition {
  /**
   * Names the line of history that the broker keeps this channel on. It changes after every restart and promotion, hence
   * whenever the channel may have lost events or got others in their place (PS-27).
   */
  readonly lineage: string;
  /**
   * When the worker was last heard, and the broker's clock, both in milliseconds since 1970 by that clock. An adapter leaves
   * both out of a channel without events; if it leaves them out of others, watchers are not told that an analysis stalls.
   */
  readonly heardAt?: number | undefined;
  readonly brokerNow?: number | undefined;
}

/** The most channels in one question about positions. The broker serves nobody else while it answers one. */
export const MOST_POSITIONS = 1_000;
