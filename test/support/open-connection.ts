import { ConnectionWriter } from "../../src/application/fan-out/connection-writer.ts";
import { DeliveryMeter } from "../../src/application/fan-out/delivery-meter.ts";
import type { OpenConnection } from "../../src/application/open-connections.ts";
import type { ClockPort } from "../../src/application/ports/clock-port.ts";
import type { HeartbeatConnection } from "../../src/application/send-heartbeats.ts";
import type { CloseCode } from "../../src/domain/close-code.ts";
import { RecordingConnection } from "../../src/testing/recording-connection.ts";
import { controlFrame } from "./control-frame.ts";

/** A connection as the use cases that look after all of them see it, on an in-memory wire. */
export class RecordedOpenConnection implements OpenConnection, HeartbeatConnection {
  readonly transport = "websocket";
  readonly wire: RecordingConnection;
  readonly writer: ConnectionWriter;
  readonly faults: unknown[] = [];

  constructor(clock: ClockPort, wire = new RecordingConnection()) {
    this.wire = wire;
    this.writer = new ConnectionWriter(wire, clock, new DeliveryMeter());
  }

  get id(): string {
    return this.wire.id;
  }

  close({ code }: CloseCode, reason: string): void {
    this.wire.close(code, reason);
  }

  get lastSentAt(): number {
    return this.writer.lastSentAt;
  }

  progresses(): boolean {
    return false;
  }

  failed(error: unknown): void {
    this.faults.push(error);
  }

  ping(): void {
    this.wire.ping();
  }

  sendHeartbeat(): void {
    this.writer.sendControl(controlFrame('{"event_type":"heartbeat"}'), "dispensable");
  }
}
