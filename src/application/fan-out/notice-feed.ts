import type { NoticeChannel } from "../../domain/channel.ts";
import type { EventPosition } from "../../domain/event-position.ts";
import type {
  ChannelSubscriber,
  ChannelSubscription,
  PublishedEvent,
  PubSubPort,
} from "../ports/pub-sub-port.ts";
import { Broadcaster } from "./broadcaster.ts";
import type { ChannelFeed } from "./channel-feed.ts";

/** Notices are live only: what was missed is not read again, so nobody is ever disturbed on their account. */
export class NoticeFeed implements ChannelFeed, ChannelSubscriber {
  readonly broadcaster = new Broadcaster();
  readonly replays = undefined;
  readonly #channel: NoticeChannel;
  readonly #pubSub: PubSubPort;
  #position: EventPosition | undefined;
  #subscription: ChannelSubscription | undefined;

  constructor(channel: NoticeChannel, pubSub: PubSubPort) {
    this.#channel = channel;
    this.#pubSub = pubSub;
  }

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

  /** What was missed meanwhile stays missed: notices are live only. */
  linkRestored(): void {}
}
