import type { Mutant } from "./mutants.ts";

/** Breakages of how the address of a Redis is read. */
export const REDIS_MUTANTS: readonly Mutant[] = [
  {
    name: "shows an address of Redis that it cannot read",
    file: "src/gateway/config/redis-url.ts",
    find: 'if (rest.includes("#")) return',
    replace: 'if (rest.includes("#")) return rest; if (rest.includes("#")) return',
    killers: ["test/unit/gateway/config/redis-url.test.ts"],
  },
  {
    name: "takes a database from an address that names two",
    file: "src/gateway/config/redis-url.ts",
    find: ' || (named !== "" && options.db !== undefined)',
    replace: "",
    killers: ["test/unit/gateway/config/redis-url.test.ts"],
  },
  {
    name: "verifies no certificate unless it is asked to",
    file: "src/gateway/config/redis-url.ts",
    find: "case undefined:\n      return { db, verifies: isTls ? true : undefined };",
    replace: "case undefined:\n      return { db, verifies: isTls ? false : undefined };",
    killers: ["test/unit/gateway/config/redis-url.test.ts"],
  },
  {
    name: "goes on asking a server of a Cluster for a slot that has moved",
    file: "src/adapters/redis/per-primary.ts",
    find: "this.#owners.moved(moved.slot, moved.to, primary);",
    replace: "",
    killers: ["test/unit/adapters/redis/per-primary.test.ts"],
  },
  {
    name: "takes a slot on its way to another server for one that has moved",
    file: "src/adapters/redis/redis-errors.ts",
    find: "/^MOVED (\\d+) (.*):(\\d+)$/",
    replace: "/^(?:MOVED|ASK) (\\d+) (.*):(\\d+)$/",
    killers: ["test/unit/adapters/redis/per-primary.test.ts"],
  },
  {
    name: "takes the slot of a trial that moves for a primary that stores nothing",
    file: "src/adapters/redis/event-connections.ts",
    find: " || !isAboutSlot(error)) throw error;",
    replace: " || isAboutSlot(error)) throw error;",
    killers: ["test/integration/redis-cluster-faults.test.ts"],
    test: "RDY-1: if the slot of a trial moves",
    needs: "redis-server",
  },
  {
    name: "refuses the watchers of all channels while a part of the broker is away",
    file: "src/application/fan-out/feed-registry.ts",
    find: "this.#pubSub.health(channel)",
    replace: "this.#pubSub.health()",
    killers: ["test/unit/application/feed-registry.test.ts"],
  },
  {
    name: "tries appends in slots of other primaries",
    file: "src/adapters/redis/cluster-slots.ts",
    find: "if (ranges.some(([first, last]) => first <= slot && slot <= last)) return made;",
    replace: "if (slot >= 0) return made;",
    killers: ["test/unit/adapters/redis/cluster-slots.test.ts"],
  },
];
