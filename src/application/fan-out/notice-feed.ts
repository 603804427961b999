import type { NoticeChannel } from "../../domain/channel.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import type {
  ChannelSubscriber,
  ChannelSubscription,
  PublishedEvent,
  PubSubPort,
} from "../ports/pub-sub-port.ts";
import { Broadcaster } from "./broadcaster.ts";

/** One channel of notices on this node. Notices are live only: a missed one is never read again, and disturbs nobody. */
export class NoticeFeed implements ChannelSubscriber {
  readonly broadcaster = new Broadcaster();
  readonly #channel: NoticeChannel;
  readonly #pubSub: PubSubPort;
  #position: EventPosition | undefined;
  #subscription: ChannelSubscription | undefined;

  constructor(channel: NoticeChannel, pubSub: PubSubPort) {
    this.#channel = channel;
    this.#pubSub = pubSub;
  }

  /** Resolves when everything published from now on arrives. Rejects as `PubSubPort.subscribe` does. */
  async open(): Promise<void> {
    this.#subscription = await this.#pubSub.subscribe(this.#channel, this);
  }

  close(): void {
    // Never rejects: the port says so.
    void this.#subscription?.unsubscribe();
  }

  event(event: PublishedEvent): void {
    const { epoch, offset } = event.position;
    if (this.#position?.epoch === epoch && offset <= this.#position.offset) return;
    this.#position = event.position;
    this.broadcaster.push(event);
  }

  /** Nobody declares viewers for notices. */
  viewersChanged(): void {}

  /** Nobody cancels notices. */
  cancelRequested(): void {}

  /** Notices that were missed meanwhile stay missed. */
  linkRestored(): void {}
}
