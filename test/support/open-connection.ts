import { Outlet } from "../../src/application/fan-out/outlet.ts";
import type { OpenConnection } from "../../src/application/open-connections.ts";
import type { ClockPort } from "../../src/application/ports/clock-port.ts";
import type { CloseCode } from "../../src/domain/close-code.ts";
import { RecordingConnection } from "./recording-connection.ts";

/** A connection as the use cases that look after all of them see it, on an in-memory wire. */
export class RecordedOpenConnection implements OpenConnection {
  readonly wire: RecordingConnection;
  readonly outlet: Outlet;

  constructor(clock: ClockPort, wire = new RecordingConnection()) {
    this.wire = wire;
    this.outlet = new Outlet(wire, clock);
  }

  get id(): string {
    return this.wire.id;
  }

  close({ code }: CloseCode, reason: string): void {
    this.wire.close(code, reason);
  }

  sendHeartbeat(): void {
    this.outlet.sendControl('{"event_type":"heartbeat"}', "dispensable");
  }
}
