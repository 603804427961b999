import { describe, expect, test } from "bun:test";
import { BusProbes } from "../../../../src/adapters/redis/bus-probes.ts";
import { ALL_SLOTS } from "../../../../src/adapters/redis/cluster-slots.ts";
import type { RedisPrimary } from "../../../../src/adapters/redis/slot-owners.ts";
import { CollectingTelemetry } from "../../../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";
import { turn } from "../../../support/turn.ts";

const primaries = ["a", "b", "c"].map(primaryOf);
const [a, b] = primaries as [RedisPrimary, RedisPrimary];

/** A gateway of a Cluster whose primaries send what they take to its connections, but for the broken ways. */
function probing({ away = new Set<RedisPrimary>() } = {}) {
  const clock = new ManualClock();
  const taken: { at: string; text: string }[] = [];
  const broken = new Set<RedisPrimary>();
  const probes: BusProbes = new BusProbes({
    ...{ clock, telemetry: new CollectingTelemetry(), primaries: () => primaries, onTick: () => {} },
    publishAt: async (primary, text) => {
      // Redis answers later.
      await Promise.resolve();
      if (away.has(primary)) throw new Error("away");
      taken.push({ at: primary.name, text });
      if (!broken.has(primary)) probes.heard(text, connection);
    },
  });
  const connection = probes.add();
  const pass = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 50) {
      clock.advance(50);
      await turn();
    }
  };
  return { probes, connection, taken, broken, pass };
}

describe("BusProbes", () => {
  test("a gateway that nobody answers is no newcomer, and alone", async () => {
    const { probes, pass } = probing();
    expect([probes.newcomer, probes.others]).toEqual([undefined, undefined]);
    await pass(1_100);
    expect([probes.newcomer, probes.others]).toEqual([false, false]);
  });

  test("WC-3 a gateway knows whether it is a newcomer only after it heard its own greeting", async () => {
    const away = new Set(primaries);
    const { probes, taken, pass } = probing({ away });
    await pass(2_000);
    expect([probes.newcomer, taken.length]).toEqual([undefined, 0]);
    away.delete(b);
    await pass(200);
    expect(taken.filter(({ text }) => text.startsWith("hello")).map(({ at }) => at)).toEqual(["b"]);
    expect(probes.newcomer).toBeUndefined();
    probes.heard("bus another 0 60000 -", probes.add());
    expect([probes.newcomer, probes.others]).toEqual([true, true]);
  });

  test("a gateway answers newcomers of one moment together, outside of the rounds of probes", async () => {
    const { probes, connection, taken, pass } = probing();
    await pass(1_000);
    taken.length = 0;
    for (const name of ["one", "one", "two", "three"]) probes.heard(`hello ${name}`, connection);
    await pass(200);
    expect(taken.map(({ at }) => at)).toEqual(["a", "b", "c", "a", "b", "c"]);
    expect(taken.every(({ text }) => / 0 \d+ -$/.test(text))).toBe(true);
  });

  test("a connection that hears two of three primaries names the third after three probes that came by the others", async () => {
    const { connection, broken, pass } = probing();
    await pass(4_000);
    expect(connection.lateMs).toBe(0);
    broken.add(a);
    await pass(6_000);
    expect(connection.broken).toBe(a);
    expect(connection.lateMs).toBe(6_000);
  });

  test("a connection lacks nothing of a primary that takes no probes", async () => {
    const away = new Set<RedisPrimary>();
    const { connection, pass } = probing({ away });
    await pass(2_000);
    away.add(a);
    await pass(60_000);
    expect([connection.broken, connection.lateMs]).toEqual([undefined, 0]);
  });

  test("a round is heard when the probe of each primary that took it has come", async () => {
    const { probes, connection, broken } = probing();
    broken.add(a);
    const round = probes.publish();
    await turn();
    expect([connection.heardAll(round - 1), connection.heardAll(round)]).toEqual([true, false]);
    connection.came(round, "a");
    expect(connection.heardAll(round)).toBe(true);
  });
});

function primaryOf(name: string): RedisPrimary {
  return { name, target: { host: name, port: 1, db: 0 }, ownChannels: "sharded", slots: ALL_SLOTS };
}
