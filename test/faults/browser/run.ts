import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { killChildren } from "../../support/children.ts";
import { FaultStage } from "./fault-stage.ts";
import type { PlayedSchedule } from "./play.ts";
import { playAll } from "./play-all.ts";
import { scheduleOf } from "./schedule.ts";

/**
 * `npm run browser-faults`: 500 random schedules of faults on pages of a real Chromium. `--rounds N`, `--seed N` (of the first; the
 * next has the next number), `--at-once N` pages (8). Exit code 1 if anything was wrong.
 */
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "500" },
    seed: { type: "string" },
    "at-once": { type: "string", default: "8" },
  },
});

async function main(): Promise<void> {
  const interrupted = () => {
    killChildren();
    process.exit(130);
  };
  process.on("exit", killChildren).on("SIGINT", interrupted).on("SIGTERM", interrupted);
  const first = Number(values.seed ?? Math.floor(Math.random() * 1e9));
  const schedules = Array.from({ length: Number(values.rounds) }, (_, index) => scheduleOf(first + index));
  const folder = join(tmpdir(), `telltale-browser-faults-${process.pid}`);
  console.log(`${schedules.length} schedules, the first of seed ${first}`);
  const stage = await FaultStage.set();
  const played: PlayedSchedule[] = [];
  for await (const one of playAll(stage, schedules, Number(values["at-once"]))) {
    played.push(one);
    console.log(lineOf(played.length, one));
    if (one.faults.length === 0) continue;
    for (const fault of one.faults.slice(0, 5)) console.log(`      ${fault.slice(0, 600)}`);
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${one.schedule.seed}.json`);
    await Bun.write(path, JSON.stringify(one, null, 1));
    console.log(`      kept in ${path}`);
  }
  await stage.strike();
  const failed = played.filter(({ faults }) => faults.length > 0);
  const events = played.reduce((sum, one) => sum + one.events, 0);
  console.log(`\n${played.length} schedules, ${events} events, ${failed.length} failed`);
  console.log(failed.map(({ schedule }) => `--rounds 1 --seed ${schedule.seed}`).join("\n"));
  process.exit(failed.length > 0 ? 1 : 0);
}

function lineOf(number: number, { schedule, faults, events, transports, seconds }: PlayedSchedule): string {
  const struck = schedule.steps.map(({ fault }) => fault.kind).join(", ");
  const { analyses, pages, through, isStorageFull, isBelowPath } = schedule;
  const setting = [
    `${pages} pages by ${through}`,
    ...(isStorageFull ? ["storage full"] : []),
    ...(isBelowPath ? ["below a path"] : []),
  ].join(", ");
  const seen = `${setting}; ${analyses.length} analyses, ${events} events over ${transports.join(", ")}`;
  const verdict = faults.length === 0 ? "ok" : `FAILED: ${faults.length} faults`;
  return `${`${number}`.padStart(4)}  seed ${schedule.seed}: ${struck}; ${seen}, ${seconds.toFixed(1)} s, ${verdict}`;
}

await main();
