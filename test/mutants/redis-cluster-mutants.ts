import type { Mutant } from "./mutants.ts";

const MAP = ["test/integration/redis-cluster-map.test.ts"];
const PLACES = [
  "test/unit/adapters/redis/heard-copies.test.ts",
  "test/unit/adapters/redis/bus-probes.test.ts",
];

/** Breakages of how a gateway finds its way in a Redis Cluster, and hears what is published there. */
export const REDIS_CLUSTER_MUTANTS: readonly Mutant[] = [
  {
    name: "takes a Cluster whose slots have no owner for whole",
    file: "src/adapters/redis/cluster-map.ts",
    find: 'owners.includes(undefined) ? { cause: "cluster" } : undefined;',
    replace: "undefined;",
    killers: MAP,
    test: "a slot that nobody owns is a trouble",
    needs: "redis-server",
  },
  {
    name: "looks for a slot that has moved at a server without a name",
    file: "src/adapters/redis/cluster-map.ts",
    find: 'to.host === "" ? hostOf(asked) : to.host;',
    replace: "to.host;",
    killers: MAP,
    test: "a slot belongs at once to the server",
    needs: "redis-server",
  },
  {
    name: "forgets the slots that a primary had before it lost them all",
    file: "src/adapters/redis/cluster-map.ts",
    find: "for (const [owner, its] of slots) owner.slots = its;",
    replace:
      "for (const owner of this.#known.values()) owner.slots = slots.get(owner) ?? [];\n    for (const [owner, its] of slots) owner.slots = its;",
    killers: MAP,
    test: "a slot belongs at once to the server",
    needs: "redis-server",
  },
  {
    name: "asks the servers of a Cluster one after the other",
    file: "src/adapters/redis/cluster-reading.ts",
    find: "const ASK_NEXT_MS = 200;",
    replace: "const ASK_NEXT_MS = 20_000;",
    killers: MAP,
    test: "it does not wait for servers that take connections",
    needs: "redis-server",
  },
  {
    name: "believes a server of a Cluster that is cut off from the others",
    file: "src/adapters/redis/cluster-reading.ts",
    find: "if (isUp) return answer",
    replace: "if (isUp || owned.length > 0) return answer",
    killers: MAP,
    test: "it believes a server that is cut off",
    needs: "redis-server",
  },
  {
    name: "takes a server of a Cluster without a host for one of this name",
    file: "src/adapters/redis/cluster-reading.ts",
    find: ' || host === "?" ? asked.host',
    replace: " ? asked.host",
    killers: ["test/unit/adapters/redis/cluster-slots.test.ts"],
  },
  {
    name: "asks for the positions of a slot that has moved where it was",
    file: "src/adapters/redis/scripts/read-positions.lua",
    find: "add(kept.err and { '', '' } or kept)",
    replace: "add(kept.err and { false, false } or kept)",
    killers: ["test/integration/redis-cluster-faults.test.ts"],
    test: "PS-27 the positions of many channels",
    needs: "redis-server",
  },
  {
    name: "asks a Cluster for positions slot by slot",
    file: "src/adapters/redis/redis-positions.ts",
    find: "if (this.#options.isCluster) return this.#fromPrimaries(records);",
    replace: "if (this.#options.isCluster) return this.#bySlot(records);",
    killers: ["test/integration/redis-cluster-faults.test.ts"],
    test: "PS-27 the positions of many channels",
    needs: "redis-server",
  },
  {
    name: "does not notice that a server of a Cluster has dropped a subscription",
    file: "src/adapters/redis/wanted-channels.ts",
    find: "const dropped = [...this.#subscribed].filter((channel) => !delivered.has(channel));",
    replace: "const dropped = [...this.#subscribed].filter((channel) => delivered.has(channel) && false);",
    killers: ["test/integration/redis-cluster-subscriptions.test.ts"],
    test: "a subscriber whose slot moves is told",
    needs: "redis-server",
  },
  {
    name: "stays subscribed where the slot of a channel was",
    file: "src/adapters/redis/redis-subscriptions.ts",
    find: "if (home === watched.home) return;",
    replace: "if (home === watched.home || watched.home !== undefined) return;",
    killers: ["test/integration/redis-cluster-subscriptions.test.ts"],
    test: "a subscriber whose slot moves is told",
    needs: "redis-server",
  },
  {
    name: "takes a message that was published twice for two copies of one",
    file: "src/adapters/redis/heard-copies.ts",
    find: "!heardBy.includes(place)",
    replace: "heardBy.length > 0",
    killers: PLACES,
  },
  {
    name: "waits for no probe of a primary that has not come",
    file: "src/adapters/redis/bus-paths.ts",
    find: "every(({ missing }) => missing.every((one) => one > round))",
    replace: "some(({ missing }) => missing.every((one) => one > round))",
    killers: PLACES,
  },
];
