import { setTimeout as pause } from "node:timers/promises";
import type { RunningRedis } from "../support/redis-server.ts";
import { StagedSentinels } from "../support/staged-sentinels.ts";
import { gatewayFaults } from "./gateway-faults.ts";
import type { FaultKind } from "./kinds.ts";
import type { Round } from "./round.ts";

/** Throws the fault, and resolves with how it is lifted. */
type Throw = (broker: StagedSentinels, round: Round) => Promise<() => Promise<void> | void>;

/** Faults behind sentinels. Only HTTP waits for the replica. */
export const sentinelFaults: readonly FaultKind[] = [
  failover("primary killed, restarted with its data", 20, async ({ group }) => {
    const old = await group.primary();
    await old.kill9();
    await group.untilAnotherThan(old);
    return () => old.restart();
  }),
  failover("primary killed, and promoted again as soon as it is back", 10, async ({ group }) => {
    const old = await group.primary();
    await old.kill9();
    await group.untilAnotherThan(old);
    const next = group.otherThan(old);
    signal(next, "SIGSTOP");
    await old.restart();
    await group.untilAnotherThan(next);
    return () => signal(next, "SIGCONT");
  }),
  failover("primary killed, restarted before anybody missed it", 10, async ({ group }, { random }) => {
    const old = await group.primary();
    await old.kill9();
    await pause(900 * random());
    return () => old.restart();
  }),
  failover("primary frozen until another is chosen", 15, async ({ group }) => {
    const old = await group.primary();
    signal(old, "SIGSTOP");
    await group.untilAnotherThan(old);
    return () => signal(old, "SIGCONT");
  }),
  failover("primary out of everybody's reach", 15, async ({ group }, { random }) => {
    const old = await group.primary();
    const network = group.networkOf(old);
    network.pause();
    await group.untilAnotherThan(old);
    return () => {
      if (random() < 0.5) network.cut();
      network.resume();
    };
  }),
  failover("primary demoted by hand", 15, async ({ group }) => {
    await group.demotePrimary();
    return () => {};
  }),
  calm("replica killed", 10, async ({ group }, { random }) => {
    const replica = group.otherThan(await group.primary());
    await replica.kill9();
    await pause(3_000 * random());
    return () => replica.restart();
  }),
  calm("a sentinel killed", 8, async ({ group }, { random }) => {
    // The first one tells the round of failovers.
    const [, ...others] = group.sentinels;
    const sentinel = others[Math.floor(others.length * random())];
    await sentinel?.kill9();
    await pause(2_000 * random());
    return () => sentinel?.startAgain();
  }),
  failover("a sentinel and the primary killed", 10, async ({ group }) => {
    const [, , sentinel] = group.sentinels;
    await sentinel?.kill9();
    const old = await group.primary();
    await old.kill9();
    await group.untilAnotherThan(old);
    return async () => {
      await sentinel?.startAgain();
      await old.restart();
    };
  }),
  ...(["up", "down", undefined] as const).map((direction) =>
    calm(`Redis out of reach of one gateway, ${direction ?? "both ways"}`, 6, async (broker, round) => {
      const { brokerSide } = round.eitherSeat();
      broker.cutOff(brokerSide, direction);
      await pause(500 + 3_500 * round.random());
      return () => broker.reconnect(brokerSide, round.random() < 0.5 ? "go on" : "end");
    }),
  ),
  ...gatewayFaults
    .filter(({ name }) => name === "gateway killed" || name === "all gateways killed")
    .map(({ name, strike }) =>
      calm(name, 8, async (_, round) => {
        await strike(round);
        return () => {};
      }),
    ),
];

/** Longer than a replica is behind, and than a server may have been away before sentinels speak of it. */
const LAST_MOMENT_MS = 1_000;
const UNNOTICED_MS = 5_000;
const UNGUARDED = { lanes: ["bare", "inbox"], storedWasLost: true } as const;

function failover(name: string, rounds: number, strike: Throw): FaultKind {
  return calm(name, rounds, async (broker, round) => {
    const from = performance.now() - LAST_MOMENT_MS;
    const lift = await strike(broker, round);
    return async () => {
      await lift();
      await broker.group.untilReplicated();
      round.excuse({ from, to: performance.now(), ...UNGUARDED });
    };
  });
}

/** No failover is due; if the machine is so slow that sentinels choose another primary, it is one like any other. */
function calm(name: string, rounds: number, strike: Throw): FaultKind {
  return {
    name: `sentinels: ${name}`,
    stage: "sentinels",
    rounds,
    strike: async (round) => {
      const broker = sentinelsOf(round);
      const failovers = await broker.group.failovers();
      const stop = await broker.onFailover(() => {
        const now = performance.now();
        round.excuse({ from: now - UNNOTICED_MS, to: now + UNNOTICED_MS, ...UNGUARDED });
      });
      round.afterwards(stop);
      const lift = await strike(broker, round);
      await lift();
      await broker.group.untilReplicated();
      round.notes.push(`${(await broker.group.failovers()) - failovers} failovers`);
      await round.recovers();
    },
  };
}

function signal({ pid }: RunningRedis, name: NodeJS.Signals): void {
  process.kill(pid ?? 0, name);
}

function sentinelsOf({ stage: { broker } }: Round): StagedSentinels {
  if (broker instanceof StagedSentinels) return broker;
  throw new Error("this is no stage of sentinels");
}
