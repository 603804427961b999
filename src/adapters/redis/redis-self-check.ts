import type { BrokerPart, BrokerSelfCheck, PartFinding } from "../../application/ports/broker-self-check.ts";
import type { ClockPort } from "../../application/ports/clock-port.ts";
import { CheckedPlace, orAway } from "./checked-place.ts";
import { readClusterSlots } from "./cluster-reading.ts";
import { SLOTS, slotOf } from "./cluster-slots.ts";
import { type ClusterTarget, type RedisTarget, serversOf } from "./redis-connection.ts";
import { redisParts } from "./redis-parts.ts";
import type { RequiredReplicas } from "./redis-replicas.ts";
import { OneOwner, type RedisPrimary } from "./slot-owners.ts";

interface RedisSelfCheckOptions {
  readonly target: RedisTarget | ClusterTarget;
  readonly waitReplicas: RequiredReplicas;
  readonly listen: ReadonlySet<"analysis" | "user" | "system">;
  readonly clock: ClockPort;
}

/**
 * `BrokerSelfCheck` on Redis: it sends every command that a gateway needs, so that all missing permissions show at once. On a
 * Cluster it does so at each primary.
 */
export class RedisSelfCheck implements BrokerSelfCheck {
  readonly servers: readonly string[];
  readonly parts: readonly BrokerPart[];
  readonly #options: RedisSelfCheckOptions;
  readonly #places = new Map<string, CheckedPlace>();
  #primaries: Promise<readonly RedisPrimary[]> | undefined;

  constructor(options: RedisSelfCheckOptions) {
    this.#options = options;
    const { target, listen, waitReplicas } = options;
    this.servers = serversOf(target);
    this.parts = [
      ...("cluster" in target ? [{ name: "slots", try: () => this.#trySlots() }] : []),
      ...redisParts(target.db, listen).map(({ name }) => ({ name, try: () => this.#everywhere(name) })),
      ...(waitReplicas === 0
        ? []
        : [{ name: "replicas", try: () => this.#each((place) => place.wait(waitReplicas)) }]),
    ];
  }

  async version(): Promise<string | undefined> {
    const [primary] = await this.#known();
    return primary && this.#placeOf(primary).version();
  }

  async close(): Promise<void> {
    for (const place of this.#places.values()) place.close();
  }

  async #trySlots(): Promise<PartFinding> {
    const primaries = await this.#known();
    const owned = primaries
      .flatMap(({ slots }) => slots)
      .reduce((sum, [first, last]) => sum + last - first + 1, 0);
    if (owned === SLOTS) return { works: true, detail: `each has an owner, ${primaries.length} in all` };
    return { works: false, reason: `${SLOTS - owned} slots have no owner`, hint: "look at CLUSTER NODES" };
  }

  #everywhere(name: string): Promise<PartFinding> {
    const { target, listen } = this.#options;
    return this.#each(async (place, primary) => {
      const part = redisParts(target.db, listen, primary).find((part) => part.name === name);
      const isElsewhere = part?.key !== undefined && !owns(primary, part.key);
      return part === undefined || isElsewhere ? undefined : place.try(part);
    });
  }

  /** Resolves with the first finding that something does not work, and else with any. */
  async #each(
    look: (place: CheckedPlace, primary: RedisPrimary) => Promise<PartFinding | undefined>,
  ): Promise<PartFinding> {
    let works: PartFinding | undefined;
    const primaries = await orAway(this.#known());
    if ("works" in primaries) return primaries;
    for (const primary of primaries) {
      const finding = await look(this.#placeOf(primary), primary);
      if (finding?.works === false) return primary.name === "" ? finding : at(primary, finding);
      works ??= finding;
    }
    return works ?? { works: false, reason: "nobody owns its slot", hint: "look at CLUSTER NODES" };
  }

  /** Asks once for all parts. */
  #known(): Promise<readonly RedisPrimary[]> {
    this.#primaries ??= primariesOf(this.#options);
    return this.#primaries;
  }

  #placeOf(primary: RedisPrimary): CheckedPlace {
    const place = this.#places.get(primary.name) ?? new CheckedPlace(primary.target);
    this.#places.set(primary.name, place);
    return place;
  }
}

async function primariesOf({ target, clock }: RedisSelfCheckOptions): Promise<readonly RedisPrimary[]> {
  if (!("cluster" in target)) return new OneOwner(target).primaries;
  const { owned } = await readClusterSlots(target, target.cluster.servers, clock);
  const { cluster: _, ...user } = target;
  const byName = Map.groupBy(owned, ({ servers: [{ host, port }] }) => `${host}:${port}`);
  return Array.from(byName, ([name, rows]) => ({
    ...{ name, ownChannels: "sharded" as const, slots: rows.map(({ slots }) => slots) },
    target: { ...user, ...(rows[0]?.servers[0] ?? { host: "", port: 0 }) },
  }));
}

function owns({ slots }: RedisPrimary, key: string): boolean {
  const slot = slotOf(key);
  return slots.some(([first, last]) => first <= slot && slot <= last);
}

function at({ name }: RedisPrimary, finding: PartFinding & { readonly works: false }): PartFinding {
  return { ...finding, reason: `${finding.reason}, at ${name}` };
}
