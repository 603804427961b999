import { describe, expect, test } from "bun:test";
import { BrokerClock } from "../../../../src/adapters/broker/broker-clock.ts";
import { Seeded } from "../../domain/seeded.ts";

describe("BrokerClock", () => {
  test("PS-30: a deadline has passed at the broker when it has passed here, and is early by a round trip at most", () => {
    const seeded = new Seeded(20261124);
    for (let round = 0; round < 2_000; round++) {
      const clock = new BrokerClock();
      const ahead = (seeded.below(2_000_001) - 1_000_000) / 7;
      let now = seeded.below(1_000);
      let quickest = Number.POSITIVE_INFINITY;
      for (let measurement = 0; measurement < 4; measurement++) {
        const askedAt = now;
        const lookedAt = askedAt + seeded.below(1_000) / 10;
        const answeredAt = lookedAt + seeded.below(1_000) / 10;
        clock.measured(Math.floor(lookedAt + ahead), askedAt, answeredAt);
        quickest = Math.min(quickest, answeredAt - askedAt);
        now = answeredAt + 2_000;
        const deadline = clock.atBroker(now) ?? Number.NaN;
        expect(deadline).toBeLessThanOrEqual(Math.floor(now + ahead));
        expect(deadline).toBeGreaterThanOrEqual(now + ahead - quickest - 2);
      }
    }
  });

  test("PS-30: the clock follows a broker whose clock was set, forwards and back", () => {
    const clock = new BrokerClock();
    clock.measured(5_000, 100, 110);
    expect(clock.atBroker(200)).toBe(5_090);
    clock.measured(3_605_000, 2_100, 2_110);
    expect(clock.atBroker(2_200)).toBe(3_605_090);
    clock.measured(6_000, 4_100, 4_110);
    expect(clock.atBroker(4_200)).toBe(6_090);
  });

  test("PS-30: a slow answer leaves the measurement of a quick one, but a new connection begins anew", () => {
    const clock = new BrokerClock();
    clock.measured(5_000, 100, 101);
    clock.measured(6_000, 1_000, 2_500);
    expect(clock.atBroker(3_000)).toBe(7_899);
    clock.forget();
    expect(clock.atBroker(3_000)).toBeUndefined();
    clock.measured(6_000, 1_000, 2_500);
    expect(clock.atBroker(3_000)).toBe(6_500);
  });
});
