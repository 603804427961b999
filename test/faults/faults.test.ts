import { afterAll, describe, expect, test } from "bun:test";
import { needs } from "../support/needs.ts";
import { clusterOrdersWriters } from "../support/orders-writers.ts";
import { type FaultKind, faultKinds } from "./kinds.ts";
import { natsFaults } from "./nats-faults.ts";
import { runRound, STAGES } from "./run-rounds.ts";
import { seeded } from "./seeded.ts";
import { Stage, type StageName } from "./stage.ts";

/** The common kinds that are played here on other brokers than Redis, on which all are. */
const BRIEF =
  /: (?:broker killed, restarted with its data|all gateways killed|connections to the broker cut .*)$/;

/** The same on PostgreSQL: about 20 s in sum. */
const BRIEF_ON_POSTGRES =
  /: (?:broker killed, restarted with its data|all gateways killed|connections .*|events and counters deleted)$/;

/** Behind sentinels: about 20 s. */
const BRIEF_BEHIND_SENTINELS = /: primary (?:killed, restarted with its data|demoted by hand)$/;

/** On a Redis Cluster: about 20 s. A failover by hand is left to `npm run faults` (docs/ROADMAP.md). */
const BRIEF_ON_REDIS_CLUSTER = /: (?:slots of .* move|a primary killed, .*|a primary frozen .*)$/;

/** Each kind once; `npm run faults` plays 500 rounds of them. */
describe.skipIf(!needs("redis-server") || !needs("nats-server") || !needs("postgres"))(
  "every watcher has what the log says, and every publisher what it was told",
  () => {
    for (const name of STAGES.filter((stage) => playedOn(stage).length > 0)) {
      describe(`on a broker that is ${name}`, () => {
        const random = seeded(Date.now());
        let stage: Stage | undefined;
        afterAll(() => stage?.strike());

        test.each(playedOn(name).map((kind) => [kind.name, kind] as const))(
          "after: %s",
          async (_, kind) => {
            stage ??= await Stage.set(name);
            const { report } = await runRound(kind, stage, random);
            if (report.faults.length > 0) {
              // The next round is to begin on a stage without faults.
              await stage.strike();
              stage = undefined;
            }
            expect(report.faults).toEqual([]);
            expect(report.deliveries).toBeGreaterThan(report.watchers);
          },
          120_000,
        );
      });
    }
  },
);

function playedOn(stage: StageName): FaultKind[] {
  const kinds = faultKinds.filter((kind) => kind.stage === stage);
  switch (stage) {
    case "nats":
      return kinds.filter((kind) => natsFaults.includes(kind) || BRIEF.test(kind.name));
    case "nats-cluster":
      // A cluster of older servers loses what it acknowledged (docs/GUARANTEES.md).
      return needs("nats-server") && clusterOrdersWriters() ? kinds : [];
    case "redis-cluster":
      return kinds.filter(({ name }) => BRIEF_ON_REDIS_CLUSTER.test(name));
    case "sentinels":
      return kinds.filter(({ name }) => BRIEF_BEHIND_SENTINELS.test(name));
    case "postgres":
      return kinds.filter(({ name }) => BRIEF_ON_POSTGRES.test(name));
    default:
      return kinds;
  }
}
