import type { Occurrence } from "../../domain/occurrence.ts";
import type { BrokerTrouble } from "../broker-trouble.ts";

/** What a worker that knows nothing of Telltale published: raw, as heard. */
export interface BareMessage {
  readonly channel: string;
  readonly payload: string;
  /** Set where it was no UTF-8, hence no JSON: U+FFFD stands for what was none. */
  readonly garbled?: true;
  readonly occurrence: Occurrence;
  /** Milliseconds before it was read that it may have been published at most; as good as none where left out. */
  readonly lateMs?: number;
}

/** How a node listens, since its connection was last made. One object for each connection, kept up to date. */
export interface Listening {
  /** When it began to hear, by the node's clock: milliseconds since 1970. */
  readonly since: number;
  /** Whether others listened before it, so that it may have missed what they offer; undefined until it is known. */
  readonly newcomer: boolean | undefined;
  /** Whether other nodes listen as well, as the broker last said; undefined until it has. */
  readonly others: boolean | undefined;
}

/**
 * The plain channels that workers publish to (`analysis:*`, `user:*`, `system:updates`). Telltale only listens
 * there. `listen` resolves once the broker delivers; messages come in the order the broker sent them. What is
 * published while the link is down is lost to this node: that is the nature of a bare PUBLISH. Held by the contract
 * suite.
 */
export interface WorkerChannelPort {
  /** To be called once. */
  listen(heard: (message: BareMessage) => void): Promise<void>;
  /** What was published before the call is heard before it resolves, and nothing after. Never rejects. */
  stopListening(): Promise<void>;
  /** Undefined while this node does not listen. Never waits for the broker. */
  listening(): Listening | undefined;
  /** Why workers are not heard though they should be, or undefined. */
  readonly away: BrokerTrouble | undefined;
  close(): Promise<void>;
}
