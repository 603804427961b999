import { setTimeout as pause } from "node:timers/promises";
import type { RunningNats } from "../support/nats-server.ts";
import { StagedNats } from "../support/staged-nats.ts";
import { StagedNatsCluster } from "../support/staged-nats-cluster.ts";
import { A_MOMENT_MS, freezeAgainAndAgain } from "./broker-faults.ts";
import type { FaultKind } from "./kinds.ts";
import type { Round } from "./round.ts";
import { stallSubscriptions } from "./stalled-subscriptions.ts";

const ALWAYS = Number.NEGATIVE_INFINITY;

/** Faults that only NATS has. */
export const natsFaults: readonly FaultKind[] = [
  {
    name: "nats: lost tail, restarted with an older store",
    stage: "nats",
    rounds: 30,
    strike: async (round) => {
      const { server } = natsOf(round);
      const from = performance.now() - A_MOMENT_MS;
      await server.saveStore();
      await round.stage.untilReady();
      await round.untilSeen(5);
      await server.restoreStore();
      round.excuse({ from, to: performance.now(), storedWasLost: true });
      await round.recovers();
    },
  },
  {
    name: "nats: streams removed",
    stage: "nats",
    rounds: 25,
    strike: async (round) => {
      await natsOf(round).removeStreams();
      round.excuse({ from: ALWAYS, to: performance.now(), storedWasLost: true });
      await round.recovers();
    },
  },
  {
    name: "nats: events of watched channels purged",
    stage: "nats",
    rounds: 15,
    strike: async (round) => {
      for (const id of round.analysisIds) {
        await natsOf(round).ask("STREAM.PURGE.TELLTALE_EVENTS", {
          filter: `telltale.log.events.analysis:${id}`,
        });
      }
      round.excuse({ from: ALWAYS, to: performance.now(), storedWasLost: true });
      await round.recovers();
    },
  },
  {
    name: "nats: restarted twice in a row",
    stage: "nats",
    rounds: 20,
    strike: async (round) => {
      for (let time = 0; time < 2; time++) {
        await round.stage.broker.kill9();
        await pause(100 * round.random());
        await round.stage.broker.restart();
        await pause(500 * round.random());
      }
      await round.recovers();
    },
  },
  {
    name: "nats: server frozen for a moment, again and again",
    stage: "nats",
    rounds: 25,
    strike: freezeAgainAndAgain,
  },
  {
    name: "nats: subscriptions to watched channels stall",
    stage: "nats",
    rounds: 5,
    strike: (round) => stallSubscriptions(round, (opening) => /SUB telltale\.live\./.test(opening)),
  },
  {
    name: "nats: leader of the events killed, another one elected",
    stage: "nats-cluster",
    rounds: 20,
    strike: async (round) => {
      const leader = await clusterOf(round).leader();
      await leader.kill9();
      await pause(2_000 * round.random());
      await leader.restart();
      await round.recovers();
    },
  },
  {
    name: "nats: leader of the events frozen",
    stage: "nats-cluster",
    rounds: 12,
    strike: async (round) => {
      const leader = await clusterOf(round).leader();
      leader.freeze();
      await pause(1_000 + 8_000 * round.random());
      leader.thaw();
      await round.recovers();
    },
  },
  {
    name: "nats: one of three servers killed, whichever",
    stage: "nats-cluster",
    rounds: 12,
    strike: async (round) => {
      const struck = anyOf(round);
      await struck.kill9();
      await pause(3_000 * round.random());
      await struck.restart();
      await round.recovers();
    },
  },
  {
    name: "nats: all servers restarted, one after the other",
    stage: "nats-cluster",
    rounds: 8,
    strike: async (round) => {
      const cluster = clusterOf(round);
      for (const server of cluster.servers) {
        await server.restart();
        await cluster.untilWhole();
      }
      await round.recovers();
    },
  },
  {
    name: "nats: one of three servers killed, restarted with an empty disk",
    stage: "nats-cluster",
    rounds: 8,
    strike: async (round) => {
      await anyOf(round).loseStore();
      await clusterOf(round).untilWhole();
      await round.recovers();
    },
  },
  {
    name: "nats: all of three servers killed at once",
    stage: "nats-cluster",
    rounds: 8,
    strike: async (round) => {
      await round.stage.broker.kill9();
      await pause(1_000 * round.random());
      await round.stage.broker.restart();
      await round.recovers();
    },
  },
];

function natsOf({ stage: { broker } }: Round): StagedNats {
  if (broker instanceof StagedNats) return broker;
  throw new Error("this is no stage of NATS");
}

function anyOf(round: Round): RunningNats {
  const { servers } = clusterOf(round);
  return servers[Math.floor(servers.length * round.random())] as RunningNats;
}

function clusterOf({ stage: { broker } }: Round): StagedNatsCluster {
  if (broker instanceof StagedNatsCluster) return broker;
  throw new Error("this is no stage of a cluster of NATS");
}
