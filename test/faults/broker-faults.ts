import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { FaultKind } from "./kinds.ts";
import type { Round } from "./round.ts";

/** Long enough for a publish to be answered before the broker answers its listeners. */
const A_MOMENT_MS = 100;
const ALWAYS = Number.NEGATIVE_INFINITY;

/** Faults of Redis itself. */
export const brokerFaults: readonly FaultKind[] = [
  {
    name: "redis killed, restarted with its data",
    stage: "durable",
    rounds: 40,
    strike: async (round) => {
      await killRedis(round);
      await pause(300 * round.random());
      await round.stage.redis.restart();
      await round.recovers();
    },
  },
  {
    name: "redis killed, restarted empty",
    stage: "volatile",
    rounds: 40,
    strike: async (round) => {
      const dump = await dumpPath(round);
      await killRedis(round);
      await rm(dump, { force: true });
      round.excuse({ from: ALWAYS, to: performance.now(), storedWasLost: true });
      await round.stage.redis.restart();
      await round.recovers();
    },
  },
  {
    name: "lost tail",
    stage: "volatile",
    rounds: 40,
    strike: async (round) => {
      const from = performance.now();
      await round.stage.admin.save();
      await round.untilSeen(5);
      await killRedis(round);
      round.excuse({ from, to: performance.now(), storedWasLost: true });
      // A worker's message may not have been stored when the dump was made.
      round.excuse({ from: ALWAYS, to: performance.now(), lanes: ["bare"] });
      await round.stage.redis.restart();
      await round.recovers();
    },
  },
  {
    name: "redis frozen for 15 s",
    stage: "durable",
    rounds: 5,
    strike: async (round) => {
      const { pid } = round.stage.redis;
      if (pid === undefined) throw new Error("a Redis without a pid cannot be frozen");
      process.kill(pid, "SIGSTOP");
      const from = performance.now() - A_MOMENT_MS;
      await pause(15_000);
      process.kill(pid, "SIGCONT");
      await round.stage.untilReady();
      // The messages that it gets while it is frozen go to listeners that have given it up.
      round.excuse({ from, to: performance.now(), lanes: ["bare"] });
      await round.recovers();
    },
  },
  {
    name: "subscribers killed",
    stage: "durable",
    rounds: 30,
    strike: async (round) => {
      const from = performance.now() - A_MOMENT_MS;
      await round.stage.admin.call("CLIENT", "KILL", "TYPE", "pubsub");
      // The listeners of all gateways at the same moment.
      round.excuse({ from, to: performance.now() + A_MOMENT_MS, lanes: ["bare"] });
      await round.recovers();
    },
  },
  {
    name: "one listener killed",
    stage: "durable",
    rounds: 30,
    strike: async (round) => {
      const clients = String(await round.stage.admin.call("CLIENT", "LIST", "TYPE", "pubsub"));
      const listener = clients.split("\n").find((line) => /\bpsub=[1-9]/.test(line));
      const id = /\bid=(\d+)/.exec(listener ?? "")?.[1];
      if (id === undefined) throw new Error(`nobody listens:\n${clients}`);
      await round.stage.admin.call("CLIENT", "KILL", "ID", id);
      await round.recovers();
    },
  },
  {
    name: "command connections killed",
    stage: "durable",
    rounds: 30,
    strike: async (round) => {
      await round.stage.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await round.recovers();
    },
  },
  {
    name: "memory full",
    stage: "durable",
    rounds: 25,
    strike: async (round) => {
      const { admin } = round.stage;
      const used = Number(/used_memory:(\d+)/.exec(await admin.info("memory"))?.[1]);
      await admin.config("SET", "maxmemory", `${used + 20_000}`);
      await pause(500 + 500 * round.random());
      await admin.config("SET", "maxmemory", "0");
      await round.recovers();
    },
  },
  {
    name: "counters evicted",
    stage: "durable",
    rounds: 15,
    strike: async (round) => {
      // The counter alone: what is left of such a channel is a history that nobody can number on.
      await round.stage.admin.del(...round.analysisIds.map((id) => `telltale:{analysis:${id}}`));
      round.excuse({ from: ALWAYS, to: performance.now(), storedWasLost: true });
      await round.recovers();
    },
  },
  {
    name: "FLUSHALL",
    stage: "durable",
    rounds: 40,
    strike: async (round) => {
      await round.stage.admin.flushall();
      round.excuse({ from: ALWAYS, to: performance.now(), storedWasLost: true });
      await round.recovers();
    },
  },
];

async function killRedis(round: Round): Promise<void> {
  const from = performance.now() - A_MOMENT_MS;
  await round.stage.redis.kill9();
  // A message of its last moment may have been heard by nobody.
  round.excuse({ from, to: performance.now(), lanes: ["bare"] });
}

async function dumpPath({ stage }: Round): Promise<string> {
  const [, folder] = (await stage.admin.config("GET", "dir")) as [string, string];
  return join(folder, "dump.rdb");
}
