import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FaultStage } from "../faults/browser/fault-stage.ts";
import { playAll } from "../faults/browser/play-all.ts";
import { scheduleOf } from "../faults/browser/schedule.ts";
import { needs } from "../support/needs.ts";

/** Few and short, with most kinds of faults; `npm run browser-faults` plays 500 random ones. */
const SEEDS = [102, 114, 115, 121, 122, 124, 126, 134];

describe.skipIf(!needs("chromium") || !needs("redis-server"))("the SDK on pages of a real Chromium", () => {
  let stage: FaultStage;
  beforeAll(async () => {
    stage = await FaultStage.set();
  });
  afterAll(() => stage?.strike());

  test("SDK-11: ends with each event once and the state of the log, and leaves nothing behind, whatever befalls page, link and gateway", async () => {
    for await (const { schedule, faults } of playAll(stage, SEEDS.map(scheduleOf), SEEDS.length))
      expect({ seed: schedule.seed, faults }).toEqual({ seed: schedule.seed, faults: [] });
  }, 300_000);
});
