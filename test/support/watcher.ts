import { ConnectionWriter } from "../../src/application/fan-out/connection-writer.ts";
import { Delivery } from "../../src/application/fan-out/delivery.ts";
import type { DeliveryOptions } from "../../src/application/fan-out/delivery-options.ts";
import type { DeliverySource } from "../../src/application/fan-out/delivery-source.ts";
import { type DeliveryStart, withWhatComes } from "../../src/application/fan-out/delivery-start.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { RecordingConnection } from "../../src/testing/recording-connection.ts";
import { RecordingOwner } from "./recording-owner.ts";

/** One client of a channel, from the socket to its place in the ring. */
export class Watcher {
  readonly wire = new RecordingConnection();
  readonly writer = new ConnectionWriter(this.wire, new ManualClock());
  readonly owner = new RecordingOwner(this.writer);
  readonly delivery: Delivery;

  constructor(source: DeliverySource, options: Partial<DeliveryOptions> = {}) {
    this.delivery = new Delivery(this.writer, source, this.owner, {
      untilTerminal: false,
      conflates: false,
      replay: "latest",
      after: undefined,
      ...options,
    });
  }

  begin(start: Partial<DeliveryStart> = {}): this {
    const to = start.replay?.length ?? 0;
    this.delivery.begin({ ...withWhatComes(this.delivery.cursor), to, ...start });
    return this;
  }

  /** The socket takes everything again, and says so. */
  drain(): void {
    this.wire.takeAll();
    this.writer.drained();
  }
}
