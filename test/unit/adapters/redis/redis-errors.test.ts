import { describe, expect, test } from "bun:test";
import { readFailure, troubleOf, writeFailure } from "../../../../src/adapters/redis/redis-errors.ts";
import { BrokerUnavailable, OutcomeUnknown } from "../../../../src/application/errors.ts";

describe("the meaning of a failure of Redis", () => {
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

  test("PUB-10: an append that was never sent was not stored", () => {
    const unsent = new Error("Stream isn't writeable and enableOfflineQueue options is false");
    expect(writeFailure(unsent)).toBeInstanceOf(BrokerUnavailable);
  });

  test("a fault of ours is no trouble of the broker's, and stays as it is", () => {
    const fault = reply("ERR Error running script: attempt to index a nil value");
    expect(writeFailure(fault)).toBe(fault);
    expect(readFailure(fault)).toBe(fault);
  });
});

describe("the cause of a failure of Redis", () => {
  const reply = (message: string) => Object.assign(new Error(message), { name: "ReplyError" });

  test.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", "full"],
    ["READONLY You can't write against a read only replica.", "read_only"],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "read_only"],
    ["ERR WAIT cannot be used with replica instances.", "read_only"],
    ["LOADING Redis is loading the dataset in memory", "loading"],
    ["BUSY Redis is busy running a script.", "busy"],
    [
      "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
      "disk",
    ],
    ["NOREPLICAS Not enough good replicas to write.", "replicas"],
    ["NOAUTH Authentication required.", "credentials"],
    ["WRONGPASS invalid username-password pair or user is disabled.", "credentials"],
    ["DENIED Redis is running in protected mode because protected mode is enabled", "credentials"],
    ["CLUSTERDOWN Hash slot not served", "cluster"],
    ["ERR DB index is out of range", "database"],
    ["ERR max number of clients reached", "too_many_clients"],
    ["ERR something that no version of it says", "fault"],
    ["constructor of an object", "fault"],
  ] as const)("RDY-2 %s", (message, cause) => {
    expect(troubleOf(reply(message))).toEqual({ cause });
  });

  test("RDY-2: without a reply the cause is the connection, or that no answer came", () => {
    expect(troubleOf(new Error("connect ECONNREFUSED 10.0.0.1:6379"))).toEqual({ cause: "unreachable" });
    expect(troubleOf(new Error("Command timed out"))).toEqual({ cause: "silent" });
  });

  test.each([
    ["NOPERM this user has no permissions to run the 'evalsha' command", "EVALSHA"],
    ["NOPERM User gateway has no permissions to run the 'info' command", "INFO"],
    ["NOPERM this user has no permissions to run the 'config|get' command", "CONFIG|GET"],
    ["NOPERM this user has no permissions to access one of the keys used as arguments", "keys"],
    ["NOPERM No permissions to access a key", "keys"],
    ["NOPERM this user has no permissions to access one of the channels used as arguments", "channels"],
    ["NOPERM No permissions to access a channel", "channels"],
    [
      "ERR ACL failure in script: User x has no permissions to run the 'xadd' command script: ab, on @user_script:3.",
      "XADD",
    ],
    ["NOPERM nothing that a version of it says", undefined],
  ])("RDY-2 a missing permission by its name: %s", (message, permission) => {
    expect(troubleOf(reply(message))).toEqual({ cause: "permission", permission });
  });

  const SCRIPT = "#!lua\nlocal call = redis.call\ncall('INFO', 'replication')\ncall('XADD', KEYS[1])\n";
  const stopped = (line: number, what = "can't run this command or subcommand") =>
    reply(`ERR The user executing the script ${what} script: ab12, on @user_script:${line}.`);

  test("RDY-4: a script that was stopped before its first write stored nothing", () => {
    const failure = writeFailure(stopped(3), SCRIPT);
    expect(failure).toBeInstanceOf(BrokerUnavailable);
    expect(failure).toMatchObject({ trouble: { cause: "permission", permission: "INFO" } });
  });

  test("PUB-10: a script that was stopped later, or nobody knows when, has an unknown outcome", () => {
    for (const failure of [
      writeFailure(stopped(4), SCRIPT),
      writeFailure(stopped(9), SCRIPT),
      writeFailure(stopped(3)),
      writeFailure(
        stopped(4, "can't access at least one of the keys mentioned in the command arguments"),
        SCRIPT,
      ),
    ]) {
      expect(failure).toBeInstanceOf(OutcomeUnknown);
      expect(failure).toMatchObject({ trouble: { cause: "permission" } });
    }
    expect(readFailure(stopped(4), SCRIPT)).toBeInstanceOf(BrokerUnavailable);
  });
});
