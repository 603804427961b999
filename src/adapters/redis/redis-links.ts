import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerUnavailable } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { OutageLog } from "./outage-log.ts";

/** A connection of the gateway, as the others see it. */
export interface MovableLink {
  /** Names the server at its other end; undefined where it is not connected, or may not ask. */
  readonly server: string | undefined;
  /** Makes the connection anew, because the address leads elsewhere by now. */
  move(): void;
}

/** Gateways that lose a server together move at different times, so that somebody listens. In milliseconds. */
const MOVE_WITHIN_MS = 1_000;

/**
 * What all connections of one gateway to its Redis have in common: outages are told once, they move together to where
 * the address leads, and none writes while their user lacks a permission.
 */
export class RedisLinks {
  readonly outages: OutageLog;
  readonly #clock: ClockPort;
  readonly #links = new Set<MovableLink>();
  /** Where events were last stored. */
  #server: string | undefined;
  #denied: BrokerTrouble | undefined;

  constructor(clock: ClockPort, telemetry: TelemetryPort) {
    this.#clock = clock;
    this.outages = new OutageLog(clock, telemetry);
  }

  add(link: MovableLink): void {
    this.#links.add(link);
  }

  remove(link: MovableLink): void {
    this.#links.delete(link);
  }

  /**
   * To be told where an event could be stored. Once for each server the connections to another one are made anew: a
   * primary that was demoted keeps its clients, answers them, and is where nobody publishes any more.
   */
  storedAt(server: string | undefined): void {
    if (server === undefined || server === this.#server) return;
    this.#server = server;
    const others = [...this.#links].filter((link) => link.server !== undefined && link.server !== server);
    if (others.length === 0) return;
    this.#clock.after(Math.random() * MOVE_WITHIN_MS, () => {
      for (const link of others) {
        if (this.#links.has(link) && link.server !== undefined && link.server !== server) link.move();
      }
    });
  }

  /** To be told which permission an append lacks; undefined where it lacks none. */
  lacks(denied: BrokerTrouble | undefined): void {
    this.#denied = denied;
  }

  /** Throws `BrokerUnavailable` if a script would be stopped midway, leaving half of what it writes. */
  assertPermitted(): void {
    if (this.#denied === undefined) return;
    const permission = this.#denied.permission ?? "unknown";
    throw new BrokerUnavailable(`a permission is missing: ${permission}`, { trouble: this.#denied });
  }
}
