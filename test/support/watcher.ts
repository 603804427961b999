import { ChannelFeed } from "../../src/application/fan-out/channel-feed.ts";
import { ConnectionWriter } from "../../src/application/fan-out/connection-writer.ts";
import { Delivery } from "../../src/application/fan-out/delivery.ts";
import { DeliveryMeter } from "../../src/application/fan-out/delivery-meter.ts";
import type { DeliveryRequest } from "../../src/application/fan-out/delivery-request.ts";
import type { NoticeFeed } from "../../src/application/fan-out/notice-feed.ts";
import {
  type DeliveryStart,
  type ReplayRequest,
  replaying,
  startLive,
} from "../../src/application/fan-out/replay.ts";
import type { PublishedEvent } from "../../src/application/ports/pub-sub-port.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { RecordingConnection } from "../../src/testing/recording-connection.ts";
import { RecordingOwner } from "./recording-owner.ts";
import type { SomeSource } from "./source-of.ts";

type WatcherOptions = Partial<ReplayRequest & Pick<DeliveryRequest, "untilTerminal" | "conflates">>;

interface BeginOptions extends Partial<Omit<DeliveryStart, "replay">> {
  readonly replay?: readonly PublishedEvent[];
  readonly rest?: NonNullable<DeliveryStart["replay"]>["rest"];
}

/** One client of a channel, from the socket to its place in the ring. */
export class Watcher {
  readonly wire = new RecordingConnection();
  readonly writer = new ConnectionWriter(this.wire, new ManualClock(), new DeliveryMeter());
  readonly owner = new RecordingOwner(this.writer);
  readonly delivery: Delivery;

  constructor(
    source: SomeSource | ChannelFeed | NoticeFeed,
    { mode = "latest", after, untilTerminal = false, conflates = false }: WatcherOptions = {},
  ) {
    const replay = { mode, after };
    const request = { writer: this.writer, owner: this.owner, replay, untilTerminal, conflates };
    const replays = source instanceof ChannelFeed ? source : "replays" in source ? source.replays : undefined;
    this.delivery = new Delivery(request, source.broadcaster, replays);
  }

  begin({ replay: events = [], rest, ...start }: BeginOptions = {}): this {
    const replay = replaying(events, 0, events.length, rest);
    this.delivery.begin({ ...startLive(this.delivery.cursor), ...start, replay });
    return this;
  }

  /** The socket takes everything again, and says so. */
  drain(): void {
    this.wire.takeAll();
    this.writer.drained();
  }
}
