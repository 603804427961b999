import type { ConnectionWriter } from "../../src/application/fan-out/connection-writer.ts";
import type { DeliveryOwner } from "../../src/application/fan-out/delivery-request.ts";
import type { ViewerList } from "../../src/domain/access-grant.ts";
import type { EventPosition } from "../../src/domain/event-position.ts";
import { controlFrame } from "./control-frame.ts";

/** Keeps what a delivery asks for; that it starts afresh is said on the wire, as a session does. */
export class RecordingOwner implements DeliveryOwner {
  readonly viewers: ViewerList[] = [];
  readonly caughtUpAt: EventPosition[] = [];
  readonly faults: unknown[] = [];
  timesTooSlow = 0;
  timesFinished = 0;
  readonly #writer: ConnectionWriter;

  constructor(writer: ConnectionWriter) {
    this.#writer = writer;
  }

  tooSlow(): void {
    this.timesTooSlow++;
  }

  startsAfresh(): void {
    this.#writer.sendControl(controlFrame('{"event_type":"connection_established","resumed":false}'));
  }

  caughtUp(position: EventPosition): void {
    this.caughtUpAt.push(position);
  }

  finished(): void {
    this.timesFinished++;
  }

  failed(error: unknown): void {
    this.faults.push(error);
  }

  viewersChanged(viewers: ViewerList): void {
    this.viewers.push(viewers);
  }
}
