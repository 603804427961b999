import { describe, expect, test } from "bun:test";
import { OutageLog } from "../../../../src/adapters/broker/outage-log.ts";
import {
  type AppendPurpose,
  AppendTrials,
  TrialAppend,
} from "../../../../src/adapters/redis/append-trials.ts";
import { slotOf } from "../../../../src/adapters/redis/cluster-slots.ts";
import { keysOf } from "../../../../src/adapters/redis/redis-keys.ts";
import { RedisLinks } from "../../../../src/adapters/redis/redis-links.ts";
import type { RedisPrimary } from "../../../../src/adapters/redis/slot-owners.ts";
import type { BrokerTrouble } from "../../../../src/application/broker-trouble.ts";
import { BrokerUnavailable, OutcomeUnknown } from "../../../../src/application/errors.ts";
import { CollectingTelemetry } from "../../../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";
import { turn } from "../../../support/turn.ts";

const PRIMARY: RedisPrimary = {
  ...{ name: "a:1", ownChannels: "sharded" as const, target: { host: "a", port: 1, db: 0 } },
  slots: [[100, 199]],
};

function trying() {
  const clock = new ManualClock();
  const telemetry = new CollectingTelemetry();
  const links = new RedisLinks(clock, new OutageLog(clock, telemetry));
  const attempts: AppendPurpose[] = [];
  const broker = {
    fault: undefined as Error | undefined,
    up: true,
    held: undefined as Promise<void> | undefined,
  };
  const trials = new AppendTrials({
    clock,
    telemetry,
    links,
    isUp: () => broker.up,
    attempt: async (purpose) => {
      attempts.push(purpose);
      const { fault, held } = broker;
      await held;
      if (fault !== undefined) throw fault;
    },
    lookAtFormat: async () => {},
    at: "",
    serverOf: () => undefined,
  });
  const pass = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 500) {
      clock.advance(500);
      await turn();
    }
  };
  const connect = async () => {
    trials.made("publishing");
    trials.made("commands");
    await turn();
  };
  return { clock, telemetry, links, attempts, broker, trials, pass, connect };
}

const refused = (trouble: BrokerTrouble) => new BrokerUnavailable("refused", { trouble });
const FULL = { cause: "full" } as const;
const DENIED = { cause: "permission", permission: "XADD" } as const;

describe("AppendTrials", () => {
  test("RDY-1: nothing is known before the first append on each connection", async () => {
    const { trials, telemetry } = trying();
    expect(trials.trouble).toEqual({ cause: "connecting" });
    trials.made("publishing");
    await turn();
    expect(trials.trouble).toEqual({ cause: "connecting" });
    trials.made("commands");
    await turn();
    expect(trials.trouble).toBeUndefined();
    expect(telemetry.logs.map(({ message }) => message)).toEqual([
      "connected to Redis: events can be stored",
    ]);
  });

  test("RDY-1: while all is well each connection tries every four seconds", async () => {
    const { attempts, connect, pass } = trying();
    await connect();
    attempts.length = 0;
    await pass(40_000);
    expect(attempts).toEqual(Array.from({ length: 10 }, () => ["publishing", "commands"] as const).flat());
  });

  test("RDY-1: a refusal of the broker shows within four seconds, and its end within two", async () => {
    const { trials, broker, connect, pass } = trying();
    await connect();
    broker.fault = refused(FULL);
    await pass(4_000);
    expect(trials.trouble).toEqual(FULL);
    broker.fault = undefined;
    await pass(2_000);
    expect(trials.trouble).toBeUndefined();
  });

  test("RDY-1: the reason for which a publisher's append was refused shows at once", async () => {
    const { trials, connect, pass } = trying();
    await connect();
    trials.failed("commands", refused(FULL));
    expect(trials.trouble).toEqual(FULL);
    await pass(2_000);
    expect(trials.trouble).toBeUndefined();
    // These failures are about one append alone and say nothing about the next.
    trials.failed("publishing", refused({ cause: "late" }));
    trials.failed("publishing", new OutcomeUnknown("no answer"));
    trials.failed("publishing", new Error("a bug"));
    expect(trials.trouble).toBeUndefined();
  });

  test("RDY-4: while a permission is missing no connection may write, and afterwards all may", async () => {
    const { links, broker, connect, pass } = trying();
    await connect();
    expect(() => links.assertPermitted()).not.toThrow();
    broker.fault = refused(DENIED);
    await pass(4_000);
    expect(() => links.assertPermitted()).toThrow(BrokerUnavailable);
    broker.fault = undefined;
    await pass(2_000);
    expect(() => links.assertPermitted()).not.toThrow();
  });

  test("RDY-1: after a connection was lost the next one has to store an append, and a trial on the old one says nothing", async () => {
    const { trials, broker, connect } = trying();
    await connect();
    const held = Promise.withResolvers<void>();
    broker.held = held.promise;
    trials.made("commands");
    await turn();
    trials.lost("commands");
    expect(trials.trouble).toEqual({ cause: "connecting" });
    held.resolve();
    await turn();
    expect(trials.trouble).toEqual({ cause: "connecting" });
    broker.held = undefined;
    trials.made("commands");
    await turn();
    expect(trials.trouble).toBeUndefined();
  });

  test("RDY-3: a trial asks a replica again within a second, so that its connection is given up", async () => {
    const { attempts, broker, connect, pass } = trying();
    await connect();
    broker.fault = refused({ cause: "read_only" });
    await pass(4_000);
    const before = attempts.length;
    await pass(500);
    expect(attempts.length).toBeGreaterThan(before);
  });

  test("a connection that is down tries nothing", async () => {
    const { attempts, broker, pass } = trying();
    broker.up = false;
    await pass(20_000);
    expect(attempts).toEqual([]);
  });
});

describe("AppendTrials that are closed", () => {
  test("RDY-6: a trial that was under way tells of no outage afterwards", async () => {
    const { trials, broker, connect, clock, telemetry } = trying();
    const held = Promise.withResolvers<void>();
    broker.held = held.promise;
    broker.fault = refused(FULL);
    await connect();
    trials.close();
    held.resolve();
    await turn();
    clock.advance(10_000);
    expect(telemetry.logs).toEqual([]);
  });
});

describe("TrialAppend", () => {
  test("RDY-4: neither connection's append is a duplicate of the other's, which would try nothing", () => {
    const trial = new TrialAppend(PRIMARY);
    const calls = [trial.callFor("publishing"), trial.callFor("commands")];
    expect(new Set(calls.map(({ channel }) => channel)).size).toBe(1);
    const keys = calls.map(({ requests }) => JSON.stringify(requests[0]?.deduplicate));
    expect(new Set(keys).size).toBe(2);
  });

  test("RDY-4: it is in a slot of its primary, and in another one if it is asked for elsewhere", () => {
    const trial = new TrialAppend(PRIMARY);
    const channels = Array.from({ length: 5 }, () => trial.callFor("publishing", "elsewhere").channel);
    expect(new Set(channels).size).toBe(5);
    for (const channel of channels) expect(slotOf(keysOf(channel).record)).toBeWithin(100, 200);
  });
});
