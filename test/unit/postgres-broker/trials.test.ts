import { describe, expect, test } from "bun:test";
import { Trials } from "../../../examples/postgres-broker/src/trials.ts";
import { OutageLog } from "../../../src/adapters/broker/outage-log.ts";
import type { BrokerCause } from "../../../src/application/broker-trouble.ts";
import { BrokerUnavailable, OutcomeUnknown } from "../../../src/application/errors.ts";
import { CollectingTelemetry } from "../../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import { turn } from "../../support/turn.ts";

function trying() {
  const clock = new ManualClock();
  const telemetry = new CollectingTelemetry();
  const server = {
    isUp: true,
    attempts: 0,
    fault: undefined as Error | undefined,
    held: undefined as Promise<void> | undefined,
  };
  const trials = new Trials({
    clock,
    telemetry,
    outages: new OutageLog(clock, telemetry),
    isUp: () => server.isUp,
    attempt: async () => {
      server.attempts++;
      const { fault, held } = server;
      await held;
      if (fault !== undefined) throw fault;
    },
  });
  const pass = async (milliseconds: number) => {
    for (let passed = 0; passed < milliseconds; passed += 500) {
      clock.advance(500);
      await turn();
    }
  };
  const said = () => telemetry.logs.map(({ message }) => message);
  return { server, trials, pass, said };
}

const refused = (cause: BrokerCause) => new BrokerUnavailable("refused", { trouble: { cause } });

describe("Trials", () => {
  test("RDY-1: nothing is known before the first append was stored", async () => {
    const { trials, said } = trying();
    expect(trials.trouble).toEqual({ cause: "connecting" });
    await trials.try();
    expect(trials.trouble).toBeUndefined();
    expect(said()).toEqual(["connected to PostgreSQL: events can be stored"]);
  });

  test("RDY-1: while all is well it tries every four seconds, and says nothing", async () => {
    const { server, trials, pass, said } = trying();
    await trials.try();
    server.attempts = 0;
    await pass(40_000);
    expect(server.attempts).toBe(10);
    expect(said()).toHaveLength(1);
  });

  test("RDY-1 RDY-6: a refusal shows within four seconds, its end within one, and each is logged once", async () => {
    const { server, trials, pass, said } = trying();
    await trials.try();
    server.fault = refused("disk");
    await pass(4_000);
    expect(trials.trouble).toEqual({ cause: "disk" });
    await pass(10_000);
    server.fault = undefined;
    await pass(1_000);
    expect(trials.trouble).toBeUndefined();
    await pass(3_000);
    expect(said().slice(1)).toEqual(["the broker is away", "the broker is back"]);
  });

  test("RDY-1: a single trial that is late says nothing; if the next one fails too, it shows", async () => {
    const { server, trials, pass } = trying();
    await trials.try();
    server.fault = new OutcomeUnknown("no answer", { trouble: { cause: "silent" } });
    await trials.try();
    expect(trials.trouble).toBeUndefined();
    server.fault = undefined;
    await pass(1_000);
    server.fault = refused("late");
    await trials.try();
    expect(trials.trouble).toBeUndefined();
    await pass(1_000);
    expect(trials.trouble).toEqual({ cause: "late" });
    server.fault = new Error("a bug");
    await pass(1_000);
    expect(trials.trouble).toEqual({ cause: "fault" });
  });

  test("RDY-1: the reason for which a publisher's append was refused shows at once", async () => {
    const { trials, pass } = trying();
    await trials.try();
    trials.failed(refused("read_only"));
    expect(trials.trouble).toEqual({ cause: "read_only" });
    await pass(1_000);
    expect(trials.trouble).toBeUndefined();
    // These failures are about one append alone and say nothing about the next.
    trials.failed(refused("busy"));
    trials.failed(new OutcomeUnknown("no answer"));
    trials.failed(new Error("a bug"));
    expect(trials.trouble).toBeUndefined();
  });

  test("RDY-1: a server that came back is tried once more after the trial that began before", async () => {
    const { server, trials, pass } = trying();
    const held = Promise.withResolvers<void>();
    server.held = held.promise;
    server.fault = refused("silent");
    const first = trials.try();
    server.held = undefined;
    server.fault = undefined;
    await trials.try();
    // Looks do not begin a second one beside it.
    await pass(10_000);
    expect(server.attempts).toBe(1);
    held.resolve();
    await first;
    expect(server.attempts).toBe(2);
    expect(trials.trouble).toBeUndefined();
  });

  test("a server that is away is not tried", async () => {
    const { server, trials, pass } = trying();
    server.isUp = false;
    await trials.try();
    await pass(20_000);
    expect(server.attempts).toBe(0);
  });
});
