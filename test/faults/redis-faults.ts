import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../../src/testing/eventually.ts";
import { startGateway } from "../support/gateway-process.ts";
import { statusUpdate } from "../support/publishing.ts";
import { A_MOMENT_MS, killBroker } from "./broker-faults.ts";
import type { FaultKind } from "./kinds.ts";
import type { Round } from "./round.ts";
import type { Seat } from "./stage.ts";
import { stallSubscriptions } from "./stalled-subscriptions.ts";
import { SocketWatcher } from "./watchers.ts";

const ALWAYS = Number.NEGATIVE_INFINITY;

/** Faults that only Redis has. */
export const redisFaults: readonly FaultKind[] = [
  {
    name: "redis killed, restarted empty",
    stage: "volatile",
    rounds: 40,
    strike: async (round) => {
      const dump = await dumpPath(round);
      await killBroker(round);
      await rm(dump, { force: true });
      round.excuse({ from: ALWAYS, to: performance.now(), storedWasLost: true });
      await round.stage.broker.restart();
      await round.recovers();
    },
  },
  {
    name: "lost tail",
    stage: "volatile",
    rounds: 40,
    strike: async (round) => {
      const from = performance.now();
      await round.stage.redis.admin.save();
      await round.untilSeen(5);
      await killBroker(round);
      round.excuse({ from, to: performance.now(), storedWasLost: true });
      // A worker's message may not have been stored when the dump was made.
      round.excuse({ from: ALWAYS, to: performance.now(), lanes: ["bare"] });
      await round.stage.broker.restart();
      await round.recovers();
    },
  },
  {
    name: "subscribers killed",
    stage: "durable",
    rounds: 30,
    strike: async (round) => {
      const from = performance.now() - A_MOMENT_MS;
      await round.stage.redis.admin.call("CLIENT", "KILL", "TYPE", "pubsub");
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
      const clients = String(await round.stage.redis.admin.call("CLIENT", "LIST", "TYPE", "pubsub"));
      const listener = clients.split("\n").find((line) => /\bpsub=[1-9]/.test(line));
      const id = /\bid=(\d+)/.exec(listener ?? "")?.[1];
      if (id === undefined) throw new Error(`nobody listens:\n${clients}`);
      await round.stage.redis.admin.call("CLIENT", "KILL", "ID", id);
      await round.recovers();
    },
  },
  {
    name: "command connections killed",
    stage: "durable",
    rounds: 30,
    strike: async (round) => {
      await round.stage.redis.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await round.recovers();
    },
  },
  {
    name: "memory full",
    stage: "durable",
    rounds: 25,
    strike: async (round) => {
      const { admin } = round.stage.redis;
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
      await round.stage.redis.admin.del(...round.analysisIds.map((id) => `telltale:{analysis:${id}}`));
      round.excuse({ from: ALWAYS, to: performance.now(), storedWasLost: true });
      await round.recovers();
    },
  },
  {
    name: "FLUSHALL",
    stage: "durable",
    rounds: 40,
    strike: async (round) => {
      await round.stage.redis.admin.flushall();
      round.excuse({ from: ALWAYS, to: performance.now(), storedWasLost: true });
      await round.recovers();
    },
  },
  {
    name: "subscriptions to watched channels stall",
    stage: "durable",
    rounds: 5,
    strike: (round) =>
      stallSubscriptions(
        round,
        (opening) => /\r\nsubscribe\r\n/i.test(opening) && opening.includes("{analysis:"),
      ),
  },
  {
    name: "subscriptions to workers stall",
    stage: "durable",
    rounds: 5,
    strike: (round) => stallSubscriptions(round, (opening) => /\r\npsubscribe\r\n/i.test(opening)),
  },
  {
    name: "frozen gateway cut by the output limit",
    stage: "durable",
    rounds: 15,
    strike: async (round) => {
      const { seats, redis } = round.stage;
      const { admin, server } = redis;
      await admin.config("SET", "client-output-buffer-limit", "pubsub 1mb 0 0");
      round.afterwards(() => admin.config("SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60"));
      // Without a proxy between, which would take in whatever Redis sends.
      const guest = await startGateway({
        ...{ REDIS_URL: server.url, LISTEN: "none", HISTORY_SIZE: "200000" },
      });
      round.afterwards(() => guest.kill9());
      const flood = new Flood(round, seats[0]);
      const watcher = new SocketWatcher({
        ...round.watching(flood.analysisId, "guest", 0),
        base: guest.url,
      });
      round.watch(watcher);
      await flood.post(1);
      await eventually("the guest hears", async () => watcher.sightings[0]?.held.length === 1);
      const listeners = async () =>
        String(await admin.call("CLIENT", "LIST", "TYPE", "pubsub"))
          .trim()
          .split("\n").length;
      const before = await listeners();
      process.kill(guest.pid, "SIGSTOP");
      while ((await listeners()) >= before && flood.sent < 2_000) await flood.post(20);
      if (flood.sent >= 2_000) round.faults.push({ name: "answer", what: "the limit was never reached" });
      process.kill(guest.pid, "SIGCONT");
      round.notes.push(`cut after ${flood.sent} events`);
      await round.recovers();
    },
  },
];

async function dumpPath({ stage }: Round): Promise<string> {
  const [, folder] = (await stage.redis.admin.config("GET", "dir")) as [string, string];
  return join(folder, "dump.rdb");
}

const BALLAST = "x".repeat(20_000);

/** Large events to an analysis that only the guest watches. */
class Flood {
  readonly analysisId = crypto.randomUUID();
  readonly #round: Round;
  readonly #seat: Seat;
  sent = 0;

  constructor(round: Round, seat: Seat) {
    this.#round = round;
    this.#seat = seat;
    round.analysisIds.push(this.analysisId);
  }

  async post(events: number): Promise<void> {
    const batch = Array.from({ length: events }, () => {
      const sequence = ++this.sent;
      return {
        ...statusUpdate({ message: `flood ${sequence}` }),
        publisher: "flood",
        sequence,
        ballast: BALLAST,
      };
    });
    const answer = await fetch(`${this.#seat.directUrl}/v1/analyses/${this.analysisId}/events`, {
      method: "POST",
      headers: { Authorization: `Bearer ${this.#round.stage.token}` },
      body: JSON.stringify(batch),
    });
    if (answer.status !== 202) this.#round.faults.push({ name: "answer", what: `answered ${answer.status}` });
  }
}
