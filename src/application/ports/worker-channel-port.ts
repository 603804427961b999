import type { Occurrence } from "../../domain/occurrence.ts";
import type { BrokerTrouble } from "../broker-trouble.ts";

/**
 * The plain channels that workers publish to (`analysis:*`, `user:*`, `system:updates`). A gateway only listens there.
 *
 * docs/PROTOCOL.md has the rules in parentheses, and the contract suite of `telltale/testing` holds each of them.
 */
export interface WorkerChannelPort {
  /**
   * Listens until `stopListening`. To be called once.
   *
   * - Once it has resolved, the node hears every message of the three kinds of channel (WC-1).
   * - A node hears messages in the order in which the broker sent them (WC-1).
   * - A node never hears a message that was published while its link was down, for nobody keeps bare messages.
   */
  listen(heard: (message: BareMessage) => void): Promise<void>;

  /**
   * Ends listening. A node hears every message that was published before the call before this resolves, and none after it
   * (WC-2). Never rejects.
   */
  stopListening(): Promise<void>;

  /** How this node listens now (WC-3); undefined while it does not. Never waits for the broker. */
  listening(): Listening | undefined;

  /** Why the node does not hear workers though it should; undefined while it hears them (WC-4). */
  readonly away: BrokerTrouble | undefined;

  /** Stops listening, and closes the connections. Idempotent. */
  close(): Promise<void>;
}

/** A message of a worker that knows nothing of Telltale, as a node heard it. */
export interface BareMessage {
  readonly channel: string;
  readonly payload: string;
  /** True if the bytes were no UTF-8, hence no JSON. The texts then have U+FFFD in place of the bytes that were none. */
  readonly garbled?: true;
  /** Names the message among those of the same bytes, on every node that listened before it alike (WC-9). */
  readonly occurrence: Occurrence;
  /** How long before the node read it it may have been published, in milliseconds, at most (WC-4). Default: 0. */
  readonly lateMs?: number;
}

/** How a node listens, since its connection was last made. One object for each connection, kept up to date. */
export interface Listening {
  /** When it began to hear, by the node's clock: milliseconds since 1970. */
  readonly since: number;
  /** Whether others listened before it, so that it may have missed messages that they append; undefined until it knows. */
  readonly newcomer: boolean | undefined;
  /** Whether other nodes listen as well, as the broker last said; undefined until it has. */
  readonly others: boolean | undefined;
}
