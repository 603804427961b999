import { describe, expect, test } from "bun:test";
import { OutageLog } from "../../../../src/adapters/broker/outage-log.ts";
import { RepeatedFailures, RetryPauses } from "../../../../src/adapters/broker/repeated-failures.ts";
import { KnownFormat } from "../../../../src/adapters/redis/known-format.ts";
import { RedisLinks } from "../../../../src/adapters/redis/redis-links.ts";
import { NewerFormat } from "../../../../src/application/errors.ts";
import { CollectingTelemetry } from "../../../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";
import { someAnalysis } from "../../../../src/testing/some-analysis.ts";

describe("RedisLinks", () => {
  function linked(...servers: (string | undefined)[]) {
    const clock = new ManualClock();
    const links = new RedisLinks(clock, new OutageLog(clock, new CollectingTelemetry()));
    const moved: number[] = [];
    const members = servers.map((server, index) => ({ server, move: () => void moved.push(index) }));
    for (const member of members) links.add(member);
    return { clock, links, members, moved };
  }

  test("RDY-3: connections to another server follow within a second once events are stored elsewhere", () => {
    const { clock, links, moved } = linked("old", "new", undefined, "old");
    links.storedAt("new");
    clock.advance(1_000);
    expect(moved).toEqual([0, 3]);
  });

  test("RDY-3: an address with several servers moves no connection for ever", () => {
    const { clock, links, moved } = linked("another", "here");
    for (let n = 0; n < 10; n++) {
      links.storedAt("here");
      clock.advance(4_000);
    }
    expect(moved).toEqual([0]);
  });

  test("RDY-3: a connection that has moved meanwhile, or is closed, is not moved", () => {
    const { clock, links, members, moved } = linked("old", "old", "old");
    links.storedAt("new");
    Object.assign(members[0] ?? {}, { server: "new" });
    links.remove(members[1] as { server: string; move: () => void });
    clock.advance(1_000);
    expect(moved).toEqual([2]);
  });

  test("RDY-3: a server that has no name moves no connection", () => {
    const { clock, links, moved } = linked("old");
    links.storedAt(undefined);
    clock.advance(10_000);
    expect(moved).toEqual([]);
  });
});

describe("RepeatedFailures", () => {
  test("RDY-3: a connection that does nothing but fail is given up, later each time", () => {
    const clock = new ManualClock();
    const failures = new RepeatedFailures(clock, { first: 3_000, longest: 10_000 });
    const givenUpAt: number[] = [];
    for (let second = 0; second <= 40; second++) {
      if (failures.areTooMany()) givenUpAt.push(second);
      clock.advance(1_000);
    }
    expect(givenUpAt).toEqual([3, 9, 19, 29, 39]);
    failures.end();
    expect(failures.areTooMany()).toBe(false);
    clock.advance(2_999);
    expect(failures.areTooMany()).toBe(false);
    clock.advance(1);
    expect(failures.areTooMany()).toBe(true);
  });

  test("RDY-3: failures that lie far apart do not count together", () => {
    const clock = new ManualClock();
    const failures = new RepeatedFailures(clock, { first: 300, longest: 300 });
    for (let n = 0; n < 10; n++) {
      expect(failures.areTooMany()).toBe(false);
      clock.advance(10_001);
    }
  });

  test("the pause before a connection grows with those given up in a row, and never over a second", () => {
    const clock = new ManualClock();
    const pauses = new RetryPauses(clock);
    expect([pauses.after(1), pauses.after(3), pauses.after(99)]).toEqual([200, 600, 1_000]);
    for (let n = 0; n < 3; n++) pauses.givenUp();
    expect(pauses.after(1)).toBe(600);
    clock.advance(10_001);
    pauses.givenUp();
    expect(pauses.after(1)).toBe(200);
  });
});

describe("KnownFormat", () => {
  test("RDY-5: a newer format is told once, until it is gone", () => {
    const clock = new ManualClock();
    const telemetry = new CollectingTelemetry();
    const format = new KnownFormat(new OutageLog(clock, telemetry));
    const channel = someAnalysis();
    expect(format.understood(["CHANNEL", 1], channel)).toEqual(["CHANNEL", 1]);
    expect(format.trouble).toBeUndefined();
    for (let n = 0; n < 3; n++) {
      expect(() => format.understood(["NEWER", "9"], channel)).toThrow(NewerFormat);
    }
    expect([format.trouble, format.met]).toEqual([{ cause: "newer_format" }, channel]);
    expect(telemetry.logs).toHaveLength(1);
    format.forget();
    clock.advance(10_000);
    expect([format.trouble, format.met, telemetry.logs.length]).toEqual([undefined, undefined, 2]);
  });
});
