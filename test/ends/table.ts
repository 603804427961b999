import { eventually } from "../../src/testing/eventually.ts";
import { Bench } from "./bench.ts";
import { play } from "./cases.ts";
import { Cell, type Outages } from "./cell.ts";
import { CASE_NAMES, type CaseName } from "./expected.ts";
import { judge, type Verdict } from "./judge.ts";
import { KIND_NAMES, type KindName } from "./kinds.ts";
import type { Lengths } from "./lengths.ts";
import { Outage } from "./outage.ts";

export interface Settled extends Verdict {
  readonly kind: KindName;
  readonly name: CaseName;
}

interface Chosen {
  readonly kinds?: readonly KindName[];
  readonly cases?: readonly CaseName[];
}

/** Plays all cells at once, on servers of their own, and resolves with what became of each. */
export async function playTable(
  lengths: Lengths,
  { kinds = KIND_NAMES, cases = CASE_NAMES }: Chosen = {},
): Promise<readonly Settled[]> {
  const bench = await Bench.open(lengths);
  try {
    const outages = outagesOf(bench, kinds.length);
    const chosen = cases.flatMap((name) => kinds.map((kind) => [name, kind] as const));
    return await Promise.all(chosen.map(([name, kind]) => settle(bench, name, kind, outages)));
  } finally {
    await bench.close();
  }
}

async function settle(bench: Bench, name: CaseName, kind: KindName, outages: Outages): Promise<Settled> {
  const cell = new Cell(bench, name, kind, outages);
  try {
    return { name, kind, ...(await judge(cell, await play(cell))) };
  } catch (error) {
    return { name, kind, faults: [(error as Error).message], seconds: Number.NaN };
  } finally {
    cell.watch.close();
  }
}

function outagesOf(bench: Bench, workers: number): Outages {
  const size = { workers, seconds: bench.lengths.away };
  const gateway = bench.deployment("without its gateway");
  const redis = bench.deployment("without its Redis");
  return {
    gateway: new Outage(size, {
      strike: () => gateway.killGateway(),
      lift: () => gateway.restartGateway(),
    }),
    redis: new Outage(size, {
      strike: () => redis.redis.kill9(),
      lift: async () => {
        await redis.redis.restart();
        await eventually("its gateway is ready", () => redis.isReady(), 120_000);
      },
    }),
  };
}
