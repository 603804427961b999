import { expect, test } from "bun:test";
import { RedisPersistence } from "../../../../src/adapters/redis/redis-persistence.ts";
import { CollectingTelemetry } from "../../../../src/testing/collecting-telemetry.ts";

const WITH_FILE = "# Persistence\r\nloading:0\r\naof_enabled:1\r\naof_rewrite_in_progress:0\r\n";
const WITHOUT = WITH_FILE.replace("aof_enabled:1", "aof_enabled:0");

test("a Redis is said to keep events on disk only if it appends every command to a file", () => {
  const persistence = new RedisPersistence({ promotes: false, telemetry: new CollectingTelemetry() });
  expect(persistence.keptIn).toBeUndefined();
  persistence.look(WITH_FILE);
  expect(persistence.keptIn).toBe("disk");
  persistence.look(WITHOUT);
  expect(persistence.keptIn).toBe("memory");
});

test("a Redis that forgets and may be promoted is a warning, logged once each time it begins to forget", () => {
  const telemetry = new CollectingTelemetry();
  const persistence = new RedisPersistence({ promotes: true, telemetry });
  expect(persistence.warnings).toEqual([]);
  for (const info of [WITHOUT, WITHOUT, WITH_FILE, WITHOUT]) persistence.look(info);
  expect(persistence.warnings).toEqual([expect.stringContaining("set appendonly yes on every server")]);
  expect(telemetry.logs.map(({ level, message }) => ({ level, message }))).toEqual(
    Array(2).fill({ level: "warn", message: persistence.warnings[0] }),
  );
  persistence.look(WITH_FILE);
  expect(persistence.warnings).toEqual([]);
});

test("a Redis that forgets is no warning if nobody promotes it", () => {
  const telemetry = new CollectingTelemetry();
  const persistence = new RedisPersistence({ promotes: false, telemetry });
  persistence.look(WITHOUT);
  expect(persistence.warnings).toEqual([]);
  expect(telemetry.logs).toEqual([]);
});
