import { killChildren } from "../support/children.ts";
import type { FaultKind } from "./kinds.ts";
import { Round, type RoundReport } from "./round.ts";
import { seeded } from "./seeded.ts";
import { Stage, type StageName } from "./stage.ts";

export interface SettledRound {
  readonly kind: FaultKind;
  readonly report: RoundReport;
  readonly seconds: number;
  /** Everything that was sent and seen in a round that failed, and the output of the gateways. */
  readonly record: unknown;
}

/**
 * Plays the rounds in an order that the seed decides, in batches in which those of one stage follow each other. A stage is
 * shared until a round on it fails. Leaves no process behind, also when interrupted.
 */
export async function* runRounds(plan: readonly FaultKind[], seed: number): AsyncGenerator<SettledRound> {
  const random = seeded(seed);
  const order = inLots(shuffled(plan, random));
  let stage: Stage | undefined;
  const interrupted = () => {
    killChildren();
    process.exit(130);
  };
  process.on("exit", killChildren).on("SIGINT", interrupted).on("SIGTERM", interrupted);
  try {
    for (const kind of order) {
      if (stage !== undefined && stage.name !== kind.stage) {
        await stage.strike();
        stage = undefined;
      }
      stage ??= await Stage.set(kind.stage);
      const settled = await runRound(kind, stage, random);
      yield settled;
      if (settled.report.faults.length === 0) continue;
      await stage.strike();
      stage = undefined;
    }
  } finally {
    await stage?.strike();
    process.off("exit", killChildren).off("SIGINT", interrupted).off("SIGTERM", interrupted);
  }
}

export const STAGES: readonly StageName[] = [
  "durable",
  "volatile",
  "replicated",
  "unguarded",
  "sentinels",
  "redis-cluster",
  "nats",
  "nats-cluster",
  "postgres",
];

const LOT = 60;

function inLots(plan: readonly FaultKind[]): FaultKind[] {
  const order: FaultKind[] = [];
  for (let first = 0; first < plan.length; first += LOT) {
    const lot = plan.slice(first, first + LOT);
    order.push(...lot.sort((a, b) => STAGES.indexOf(a.stage) - STAGES.indexOf(b.stage)));
  }
  return order;
}

/** One round, to its end and judged; what went wrong in playing it is a fault as well. */
export async function runRound(kind: FaultKind, stage: Stage, random: () => number): Promise<SettledRound> {
  const round = new Round(stage, random);
  const began = performance.now();
  let report: RoundReport;
  try {
    if (kind.ownTraffic !== true) await round.begin();
    await kind.strike(round);
    report = await round.end();
  } catch (error) {
    await round.leave();
    const what = (error as Error).stack ?? String(error);
    report = round.report([{ name: "broken", what }]);
  }
  const seconds = (performance.now() - began) / 1000;
  const failed = report.faults.length > 0;
  const outputs = failed ? stage.seats.map(({ name, output }) => ({ name, output })) : [];
  return { kind, report, seconds, record: failed ? { outputs, ...(round.record() as object) } : undefined };
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
