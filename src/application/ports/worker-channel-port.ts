/** What a worker that knows nothing of Telltale published: raw, as heard. */
export interface BareMessage {
  readonly channel: string;
  readonly payload: string;
  /** Set where it was no UTF-8, hence no JSON: U+FFFD stands for what was none. */
  readonly garbled?: true;
}

export interface DeadLetter {
  readonly channel: string;
  readonly payload: string;
  readonly reason: string;
  /** By which the letter is known again, for an hour, instead of by its content: the id of an inbox entry. */
  readonly name?: string;
  /** How long ago the same content on the same channel may have been kept to be this letter; default: a minute. */
  readonly windowMs?: number;
}

/**
 * The plain channels that workers publish to (`analysis:*`, `user:*`, `system:updates`). Telltale only listens
 * there. `listen` resolves once the broker delivers; messages come in the order the broker sent them. What is
 * published while the link is down is lost: that is the nature of a bare PUBLISH.
 */
export interface WorkerChannelPort {
  listen(heard: (message: BareMessage) => void): Promise<void>;
  /** Keeps what cannot be delivered, once however many nodes report it. Fails like `PubSubPort.append`. */
  keepDeadLetter(letter: DeadLetter): Promise<void>;
  close(): Promise<void>;
}
