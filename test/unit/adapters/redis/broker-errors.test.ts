import { describe, expect, test } from "bun:test";
import { readFailure, writeFailure } from "../../../../src/adapters/redis/broker-errors.ts";
import { BrokerUnavailable, OutcomeUnknown } from "../../../../src/application/errors.ts";

describe("what a failure of Redis means", () => {
  const reply = (message: string) => Object.assign(new Error(message), { name: "ReplyError" });

  test.each([
    "OOM command not allowed when used memory > 'maxmemory'.",
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "BUSY Redis is busy running a script.",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "NOREPLICAS Not enough good replicas to write.",
    "NOAUTH Authentication required.",
    "CLUSTERDOWN Hash slot not served",
  ])("PUB-10: an answer that refuses says that nothing was stored: %s", (message) => {
    expect(writeFailure(reply(message))).toBeInstanceOf(BrokerUnavailable);
    expect(readFailure(reply(message))).toBeInstanceOf(BrokerUnavailable);
  });

  test.each(["Command timed out", "Connection is closed.", "read ECONNRESET", "write EPIPE"])(
    "PUB-10: without an answer the outcome is unknown, unless nothing was to be changed: %s",
    (message) => {
      expect(writeFailure(new Error(message))).toBeInstanceOf(OutcomeUnknown);
      expect(readFailure(new Error(message))).toBeInstanceOf(BrokerUnavailable);
    },
  );

  test("PUB-10: what was never sent was not stored", () => {
    const unsent = new Error("Stream isn't writeable and enableOfflineQueue options is false");
    expect(writeFailure(unsent)).toBeInstanceOf(BrokerUnavailable);
  });

  test("a fault of ours is no trouble of the broker's, and stays as it is", () => {
    const fault = reply("ERR Error running script: attempt to index a nil value");
    expect(writeFailure(fault)).toBe(fault);
    expect(readFailure(fault)).toBe(fault);
  });
});
