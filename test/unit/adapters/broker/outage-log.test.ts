import { describe, expect, test } from "bun:test";
import { OutageLog } from "../../../../src/adapters/broker/outage-log.ts";
import { CollectingTelemetry } from "../../../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";

const UNREACHABLE = { cause: "unreachable" } as const;
const LOADING = { cause: "loading" } as const;

describe("OutageLog", () => {
  function outages() {
    const clock = new ManualClock();
    const telemetry = new CollectingTelemetry();
    const log = new OutageLog(clock, telemetry);
    const lines = () => telemetry.logs.map(({ level, message, fields }) => [level, message, fields.cause]);
    return { clock, telemetry, log, lines };
  }

  test("RDY-6: the log has one line for an outage and one for its end, with how long it took, however many notice it", () => {
    const { clock, telemetry, log } = outages();
    const sources = ["publishing", "commands", "workers"];
    for (const source of sources) log.report(source, UNREACHABLE, "connect ECONNREFUSED 10.0.0.1:6379");
    for (const source of sources) log.report(source, UNREACHABLE);
    clock.advance(4_200);
    for (const source of sources) {
      log.clear(source);
      log.clear(source);
    }
    clock.advance(10_000);
    expect(telemetry.logs).toEqual([
      {
        level: "warn",
        message: "the broker is away",
        fields: {
          cause: "unreachable",
          reason: "there is no connection to the broker",
          connection: "publishing",
          detail: "connect ECONNREFUSED 10.0.0.1:6379",
        },
      },
      {
        level: "info",
        message: "the broker is back",
        fields: { cause: "unreachable", after_seconds: 4.2, connections: "publishing, commands, workers" },
      },
    ]);
  });

  test("RDY-6: the line has no detail if nobody knows one", () => {
    const { telemetry, log } = outages();
    log.report("publishing", { cause: "silent" });
    expect(telemetry.logs[0]?.fields).not.toHaveProperty("detail");
  });

  test("RDY-6: troubles that come and go within moments are one outage, and the next one is another", () => {
    const { clock, log, lines } = outages();
    for (let n = 0; n < 5; n++) {
      log.report("commands", n % 2 === 0 ? UNREACHABLE : LOADING);
      clock.advance(1_000);
      log.clear("commands");
      clock.advance(1_000);
    }
    clock.advance(5_000);
    log.report("commands", LOADING);
    expect(lines()).toEqual([
      ["warn", "the broker is away", "unreachable"],
      ["info", "the broker is back", "unreachable"],
      ["warn", "the broker is away", "loading"],
    ]);
  });

  test("RDY-6: an outage is over only when no source notices it any more", () => {
    const { clock, log, lines } = outages();
    log.report("commands", UNREACHABLE);
    log.report("workers", UNREACHABLE);
    log.clear("commands");
    clock.advance(60_000);
    expect(lines()).toHaveLength(1);
    log.clear("workers");
    clock.advance(3_000);
    expect(lines()).toHaveLength(2);
  });

  test("RDY-6: the log tells of another cause if it lasts", () => {
    const { clock, log, lines } = outages();
    const denied = { cause: "permission", permission: "INFO" } as const;
    log.report("commands", UNREACHABLE);
    clock.advance(2_000);
    log.report("commands", denied);
    expect(lines()).toHaveLength(1);
    clock.advance(8_000);
    for (let n = 0; n < 3; n++) log.report("commands", denied);
    log.report("commands", { cause: "permission", permission: "XADD" });
    expect(lines().slice(1)).toEqual([["warn", "the broker is still away", "permission"]]);
  });

  test("the log tells nothing of a source that is closed", () => {
    const { clock, log, lines } = outages();
    log.report("commands", UNREACHABLE);
    log.forget("commands");
    clock.advance(60_000);
    expect(lines()).toHaveLength(1);
  });
});
