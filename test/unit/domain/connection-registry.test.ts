import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { ConnectionRegistry } from "../../../src/domain/connection-registry.ts";
import { TokenExpiries } from "../../../src/domain/token-expiries.ts";
import { Seeded } from "./seeded.ts";

const UNLIMITED = { maxConnections: 0, maxPerUser: 0, maxSubscriptionsPerUser: 0 };

function registry(limits = UNLIMITED): ConnectionRegistry {
  return new ConnectionRegistry(limits);
}

function withConnections(...ids: string[]): ConnectionRegistry {
  const made = registry();
  for (const id of ids) made.add({ id, userId: `user of ${id}`, connectedAt: 0 });
  return made;
}

describe("the registry of watchers", () => {
  test("knows them by analysis and by user, with when each was connected and last heard", () => {
    const books = registry();
    books.add({ id: "c1", userId: "alice", analysisId: "x", connectedAt: 5 });
    books.add({ id: "c2", userId: "alice", connectedAt: 6 });
    books.watch("c2", "x");
    books.watch("c2", "y");
    books.heard("c2", 9);
    expect([...books.connectionsOf("x")]).toEqual(["c1", "c2"]);
    expect([...books.connectionsOf("y")]).toEqual(["c2"]);
    expect([...books.connectionsOfUser("alice")]).toEqual(["c1", "c2"]);
    expect(books.get("c2")).toMatchObject({
      userId: "alice",
      connectedAt: 6,
      lastHeardAt: 9,
      analyses: new Set(["x", "y"]),
    });
    expect(books.statistics()).toEqual({ total_connections: 2, active_analyses: 2, users: 1 });
  });

  test("stays known for those who remain when one of several leaves", () => {
    const books = withConnections("c1", "c2", "c3");
    for (const id of ["c1", "c2", "c3"]) books.watch(id, "x");
    books.unwatch("c1", "x");
    books.remove("c2");
    expect([...books.connectionsOf("x")]).toEqual(["c3"]);
    books.remove("c3");
    expect([...books.connectionsOf("x")]).toEqual([]);
  });

  test("watching twice counts once, and a stop ends it", () => {
    const books = withConnections("c1");
    books.watch("c1", "x");
    books.watch("c1", "x");
    books.unwatch("c1", "x");
    books.unwatch("c1", "x");
    expect(books.statistics()).toEqual({ total_connections: 1, active_analyses: 0, users: 1 });
  });

  test("nothing is noted of a connection that is not there, or no longer", () => {
    const books = withConnections("c1");
    books.remove("c1");
    for (const id of ["c1", "never"]) {
      books.watch(id, "x");
      books.unwatch(id, "x");
      books.heard(id, 5);
      books.setTokenExpiry(id, 5);
      books.remove(id);
      expect(books.get(id)).toBeUndefined();
    }
    expect(books.statistics()).toEqual({ total_connections: 0, active_analyses: 0, users: 0 });
    expect([...books.tokensExpiredBy(1e12), ...books.expired(1e12, 0)]).toEqual([]);
  });
});

describe("limits", () => {
  test("refuse the connection beyond the total, and admit again when one has gone", () => {
    const books = registry({ ...UNLIMITED, maxConnections: 2, maxPerUser: 0 });
    expect(books.add({ id: "c1", userId: "a", connectedAt: 0 })).toEqual({ admitted: true });
    expect(books.add({ id: "c2", userId: "b", connectedAt: 0 })).toEqual({ admitted: true });
    expect(books.add({ id: "c3", userId: "c", connectedAt: 0 })).toEqual({ admitted: false, limit: "total" });
    expect(books.get("c3")).toBeUndefined();
    books.remove("c1");
    expect(books.add({ id: "c3", userId: "c", connectedAt: 0 })).toEqual({ admitted: true });
  });

  test("refuse the connection beyond what one user may have, and nobody else's", () => {
    const books = registry({ ...UNLIMITED, maxConnections: 10, maxPerUser: 1 });
    books.add({ id: "c1", userId: "a", connectedAt: 0 });
    expect(books.add({ id: "c2", userId: "a", connectedAt: 0 })).toEqual({ admitted: false, limit: "user" });
    expect(books.add({ id: "c3", userId: "b", connectedAt: 0 })).toEqual({ admitted: true });
  });

  test("count an id that comes again once", () => {
    const books = registry({ ...UNLIMITED, maxConnections: 1, maxPerUser: 1 });
    books.add({ id: "c1", userId: "a", analysisId: "x", connectedAt: 0 });
    expect(books.add({ id: "c1", userId: "b", connectedAt: 1 })).toEqual({ admitted: true });
    expect(books.statistics()).toEqual({ total_connections: 1, active_analyses: 0, users: 1 });
  });
});

describe("silence", () => {
  test("expires a connection after the timeout, the longest silent first", () => {
    const books = withConnections("c1", "c2", "c3");
    books.heard("c1", 10);
    books.heard("c3", 20);
    expect([...books.expired(30, 31)]).toEqual([]);
    expect([...books.expired(30, 30)]).toEqual(["c2"]);
    expect([...books.expired(40, 30)]).toEqual(["c2", "c1"]);
    expect([...books.expired(50, 30)]).toEqual(["c2", "c1", "c3"]);
  });

  test("is looked through safely while connections are removed", () => {
    const books = withConnections("c1", "c2", "c3");
    for (const id of books.expired(100, 30)) books.remove(id);
    expect(books.statistics().total_connections).toBe(0);
  });
});

describe("tokens", () => {
  test("that ran out are told, the earliest first, until removed or replaced", () => {
    const books = withConnections("c1", "c2", "c3");
    books.setTokenExpiry("c1", 3_000);
    books.setTokenExpiry("c2", 1_000);
    books.setTokenExpiry("c3", 2_000);
    expect([...books.tokensExpiredBy(999)]).toEqual([]);
    expect([...books.tokensExpiredBy(1_000)]).toEqual(["c2"]);
    expect([...books.tokensExpiredBy(3_000)]).toEqual(["c2", "c3", "c1"]);
    books.setTokenExpiry("c2", 9_000);
    books.remove("c3");
    expect([...books.tokensExpiredBy(4_000)]).toEqual(["c1"]);
    expect([...books.tokensExpiredBy(9_000)]).toEqual(["c1", "c2"]);
    expect([...books.tokensExpiredBy(3_000)]).toEqual(["c1"]);
  });

  test("are rounded up to the second and never told early", () => {
    const books = withConnections("c1");
    books.setTokenExpiry("c1", 1_500);
    expect([...books.tokensExpiredBy(1_999)]).toEqual([]);
    expect([...books.tokensExpiredBy(2_000)]).toEqual(["c1"]);
  });

  test("are told after a clock was set far forward, without a walk through every second since", () => {
    const books = withConnections("c1");
    books.setTokenExpiry("c1", 1_000);
    expect([...books.tokensExpiredBy(1e15)]).toEqual(["c1"]);
  });

  test("are told right over random changes and looks, as by looking at every one", () => {
    const random = new Seeded(17);
    const expiries = new TokenExpiries();
    const model = new Map<string, number>();
    let now = 1_000_000;
    let told = 0;
    for (let step = 0; step < 5_000; step++) {
      const id = `c${random.below(40)}`;
      if (random.below(3) > 0) {
        const at = (Math.floor(now / 1000) + random.below(60) - 5) * 1000;
        expiries.set(id, at);
        model.set(id, at);
      } else {
        expiries.forget(id);
        model.delete(id);
      }
      now += random.pick([0, 100, 1_000, 1_000, 500_000, -3_000]);
      const expired = [...expiries.expiredBy(now)].sort();
      expect(expired).toEqual(
        [...model]
          .filter(([, at]) => at <= now)
          .map(([name]) => name)
          .sort(),
      );
      told += expired.length;
      for (const name of expired.slice(0, random.below(4))) {
        expiries.forget(name);
        model.delete(name);
      }
    }
    expect(told).toBeGreaterThan(1_000);
  });
});

describe("with 100,000 connected, a look costs what expires", () => {
  const counted = countSteps();
  afterEach(() => counted.stop());

  const books = registry();
  beforeAll(() => {
    for (let n = 0; n < 100_000; n++) {
      books.add({
        id: `c${n}`,
        userId: `u${n % 5_000}`,
        analysisId: `a${n % 7_000}`,
        connectedAt: n < 3 ? 0 : 50,
      });
      books.setTokenExpiry(`c${n}`, n < 3 ? 1_000 : 3_600_000 + (n % 3_600) * 1_000);
    }
  });

  test("three that were silent too long: four looked at", () => {
    counted.start();
    const expired = [...books.expired(60, 60)];
    expect(expired).toEqual(["c0", "c1", "c2"]);
    expect(counted.stop()).toBeLessThanOrEqual(4);
  });

  test("three whose token ran out: three looked at, and no walk through the rest", () => {
    counted.start();
    expect([...books.tokensExpiredBy(1_000)]).toEqual(["c0", "c1", "c2"]);
    expect(counted.stop()).toBeLessThanOrEqual(4);
  });

  test("everybody gone leaves nothing behind", () => {
    for (let n = 0; n < 100_000; n++) books.remove(`c${n}`);
    expect(books.statistics()).toEqual({ total_connections: 0, active_analyses: 0, users: 0 });
    expect([...books.expired(1e12, 0), ...books.tokensExpiredBy(1e12)]).toEqual([]);
  });
});

/** Counts the entries that iterating over any Map or Set yields, between `start` and `stop`. */
function countSteps() {
  type Iterate = () => IterableIterator<unknown>;
  const named = (prototype: object, ...names: PropertyKey[]) =>
    names.map((name) => {
      const owner = prototype as Record<PropertyKey, Iterate>;
      return { owner, name, original: owner[name] as Iterate };
    });
  const originals = [
    ...named(Map.prototype, Symbol.iterator, "entries", "keys", "values"),
    ...named(Set.prototype, Symbol.iterator, "values"),
  ];
  let steps = 0;
  return {
    start() {
      steps = 0;
      for (const { owner, name, original } of originals) {
        owner[name] = function* (this: unknown) {
          const iterator = original.call(this);
          for (let next = iterator.next(); !next.done; next = iterator.next()) {
            steps += 1;
            yield next.value;
          }
        } as Iterate;
      }
    },
    stop() {
      for (const { owner, name, original } of originals) owner[name] = original;
      return steps;
    },
  };
}
