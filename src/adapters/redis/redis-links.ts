import type { BrokerTrouble } from "../../application/broker-trouble.ts";
import { BrokerUnavailable } from "../../application/errors.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { OutageLog } from "../broker/outage-log.ts";

/** Tells of outages. */
export type Outages = Pick<OutageLog, "report" | "clear" | "forget">;

/** A connection of the gateway, as the others see it. */
interface MovableLink {
  /** Names the server at its other end; undefined if it is not connected, or may not ask. */
  readonly server: string | undefined;
  /** Makes the connection anew because the address leads elsewhere by now. */
  move(): void;
}

/** Gateways that lose a server together move at different times, so that somebody listens. In milliseconds. */
const MOVE_WITHIN_MS = 1_000;

/**
 * Holds the state that all connections of one gateway to one primary share. It tells an outage once, moves the connections
 * together to where the address leads, and lets none write while their user lacks a permission.
 */
export class RedisLinks {
  readonly outages: Outages;
  /** Call it when a connection was lost, or a server says that a slot is elsewhere. */
  readonly lost: () => void;
  readonly #clock: ClockPort;
  readonly #links = new Set<MovableLink>();
  /** The server that last stored events. */
  #server: string | undefined;
  #denied: BrokerTrouble | undefined;

  constructor(clock: ClockPort, outages: Outages, lost = () => {}) {
    this.#clock = clock;
    this.outages = outages;
    this.lost = lost;
  }

  add(link: MovableLink): void {
    this.#links.add(link);
  }

  remove(link: MovableLink): void {
    this.#links.delete(link);
  }

  /**
   * Call it with the server that stored an event. Once for each server it makes the connections to other ones anew: a
   * primary that was demoted keeps its clients and answers them, but nobody publishes there any more.
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

  /** Call it with the permission that an append lacks; undefined if it lacks none. */
  lacks(denied: BrokerTrouble | undefined): void {
    this.#denied = denied;
  }

  /** Throws `BrokerUnavailable` if Redis would stop a script midway, which would leave half of its writes. */
  assertPermitted(): void {
    if (this.#denied === undefined) return;
    const permission = this.#denied.permission ?? "unknown";
    throw new BrokerUnavailable(`a permission is missing: ${permission}`, { trouble: this.#denied });
  }
}
