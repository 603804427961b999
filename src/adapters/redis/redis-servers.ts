import type { ClockPort } from "../../application/ports/clock-port.ts";
import type { TelemetryPort } from "../../application/ports/telemetry-port.ts";
import { OutageLog } from "../broker/outage-log.ts";
import { ClusterMap } from "./cluster-map.ts";
import { PerPrimary } from "./per-primary.ts";
import type { ClusterTarget, RedisTarget } from "./redis-connection.ts";
import { type Outages, RedisLinks } from "./redis-links.ts";
import { OneOwner, type RedisPrimary, type SlotOwners } from "./slot-owners.ts";

export interface RedisServersOptions {
  readonly target: RedisTarget | ClusterTarget;
  readonly clock: ClockPort;
  readonly telemetry: TelemetryPort;
}

/** As long as a command may take. */
const LEAVE_AFTER_MS = 2_000;

/**
 * The servers of one gateway: one Redis, or the primaries of a Cluster. It has the state that their connections share, and
 * closes with the last of those who use them.
 */
export class RedisServers {
  readonly owners: SlotOwners;
  /** Tells an outage once, however many servers it is one of. */
  readonly outages: OutageLog;
  readonly #options: RedisServersOptions;
  readonly #links = new WeakMap<RedisPrimary, RedisLinks>();
  #users = 0;

  constructor(options: RedisServersOptions) {
    this.#options = options;
    const { target, clock, telemetry } = options;
    this.outages = new OutageLog(clock, telemetry);
    this.owners =
      "cluster" in target ? new ClusterMap({ target, clock, outages: this.outages }) : new OneOwner(target);
  }

  /** Keeps something for each primary, until it is closed. */
  each<Of extends { close(): void }>(open: (primary: RedisPrimary) => Of): PerPrimary<Of> {
    return this.#keep(open, () => this.owners.primaries);
  }

  /** Does the same for the owner of a key's slot alone. */
  ownerOf<Of extends { close(): void }>(key: string, open: (primary: RedisPrimary) => Of): PerPrimary<Of> {
    return this.#keep(open, () => {
      const owner = this.owners.ownerOf(key);
      return owner === undefined ? [] : [owner];
    });
  }

  /** The state that all connections to one primary share. */
  linksOf(primary: RedisPrimary): RedisLinks {
    const known = this.#links.get(primary);
    if (known !== undefined) return known;
    const { clock } = this.#options;
    const links = new RedisLinks(clock, this.#outagesAt(primary), () => this.owners.lookAgain());
    this.#links.set(primary, links);
    return links;
  }

  #keep<Of extends { close(): void }>(
    open: (primary: RedisPrimary) => Of,
    wanted: () => readonly RedisPrimary[],
  ): PerPrimary<Of> {
    this.#users++;
    const onClosed = () => {
      if (--this.#users === 0) this.owners.close();
    };
    const later = (task: () => void) => void this.#options.clock.after(LEAVE_AFTER_MS, task);
    return new PerPrimary(this.owners, open, { wanted, later, onClosed });
  }

  /** If a primary owns nothing any more, its outage is over; others may go on. */
  #outagesAt(primary: RedisPrimary): Outages {
    const { outages, owners } = this;
    if (primary.name === "") return outages;
    const at = (source: string) => `${source} at ${primary.name}`;
    return {
      report: (source, trouble, detail) => outages.report(at(source), trouble, detail),
      clear: (source) => outages.clear(at(source)),
      forget: (source) =>
        owners.primaries.includes(primary) ? outages.forget(at(source)) : outages.clear(at(source)),
    };
  }
}
