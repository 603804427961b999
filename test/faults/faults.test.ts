import { afterAll, describe, expect, test } from "bun:test";
import { needs } from "../support/needs.ts";
import { faultKinds } from "./kinds.ts";
import { runRound, STAGES, seeded } from "./run-rounds.ts";
import { Stage } from "./stage.ts";

/** Each kind once; `npm run faults` plays 500 rounds of them. */
describe.skipIf(!needs("redis-server"))(
  "every watcher has what the log says, and every publisher what it was told",
  () => {
    for (const name of STAGES) {
      describe(`on a broker that is ${name}`, () => {
        const random = seeded(Date.now());
        let stage: Stage | undefined;
        afterAll(() => stage?.strike());

        test.each(faultKinds.filter((kind) => kind.stage === name).map((kind) => [kind.name, kind] as const))(
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
