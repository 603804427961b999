import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type FaultKind, faultKinds } from "./kinds.ts";
import type { Fault, FaultName } from "./oracle.ts";
import { runRounds, type SettledRound } from "./run-rounds.ts";

/**
 * `npm run faults`: real faults on real processes, 500 rounds, every watcher held against the log after each. `--rounds N`,
 * `--only TEXT` (of the name of a kind, or of its stage), `--seed N`. Exit code 1 when anything was wrong.
 */
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "500" },
    only: { type: "string" },
    seed: { type: "string" },
    list: { type: "boolean", default: false },
  },
});

async function main(): Promise<void> {
  const kinds = faultKinds.filter(({ name, stage }) => `${stage} ${name}`.includes(values.only ?? ""));
  if (values.list || kinds.length === 0) {
    for (const { name, stage, rounds } of faultKinds) console.log(`${rounds}\t${stage}\t${name}`);
    process.exit(kinds.length === 0 ? 2 : 0);
  }
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
  const plan = planOf(kinds, Number(values.rounds));
  const folder = join(tmpdir(), `telltale-faults-${process.pid}`);
  console.log(`${plan.length} rounds, seed ${seed}`);
  const settled: SettledRound[] = [];
  for await (const round of runRounds(plan, seed)) {
    settled.push(round);
    console.log(lineOf(settled.length, round));
    if (round.report.faults.length === 0) continue;
    for (const { name, what } of round.report.faults.slice(0, 5)) console.log(`      ${name}: ${what}`);
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `round-${settled.length}.json`);
    await Bun.write(path, JSON.stringify({ ...round, kind: round.kind.name }, null, 1));
    console.log(`      kept in ${path}`);
  }
  summarise(kinds, settled);
  process.exit(settled.some(({ report }) => report.faults.length > 0) ? 1 : 0);
}

const FULL_RUN = 500;
/** Kinds that are due no oftener than this take long, and as often they must be there in a full run. */
const SELDOM = 5;

/** Each kind at least once, those that take long as often as they say, and the others share what is left. */
function planOf(kinds: readonly FaultKind[], rounds: number): FaultKind[] {
  const share = Math.min(1, rounds / FULL_RUN);
  const plan = kinds.flatMap((kind) => {
    const due = kind.rounds <= SELDOM ? Math.ceil(kind.rounds * share) : 1;
    return Array.from({ length: due }, () => kind);
  });
  const common = kinds
    .filter((kind) => kind.rounds > SELDOM)
    .flatMap((kind) => Array(kind.rounds).fill(kind));
  const pool = common.length > 0 ? common : kinds;
  // Spread over the pool, so that each kind comes as often as its weight says.
  const missing = Math.max(0, rounds - plan.length);
  for (let at = 0; at < missing; at++) plan.push(pool[Math.floor((at * pool.length) / missing)] as FaultKind);
  return plan;
}

function lineOf(number: number, { kind, report, seconds }: SettledRound): string {
  const { events, watchers, deliveries, restarts, faults, notes } = report;
  const checked = `${events} events, ${watchers} watchers, ${deliveries} deliveries, ${restarts} told`;
  const said = notes.length > 0 ? ` (${notes.join(", ")})` : "";
  const verdict = faults.length === 0 ? "ok" : `FAILED: ${faults.length} faults`;
  return `${`${number}`.padStart(4)}  ${kind.name}: ${checked}${said}, ${seconds.toFixed(1)} s, ${verdict}`;
}

function summarise(kinds: readonly FaultKind[], settled: readonly SettledRound[]): void {
  console.log("\nrounds  events  terminals  watchers  deliveries  told  faults  seconds  kind");
  for (const kind of kinds) {
    const own = settled.filter((round) => round.kind === kind);
    if (own.length > 0) console.log(`${row(own)}  ${kind.name}`);
  }
  console.log(`${row(settled)}  in all`);
  const faults = settled.flatMap(({ report }) => report.faults);
  const count = (...names: FaultName[]) => faults.filter(({ name }: Fault) => names.includes(name)).length;
  console.log(
    [
      `\n${settled.length} rounds, ${count("gap", "not_converged")} gaps`,
      `${count("double")} doubles, ${count("disorder")} out of order, ${count("two_payloads")} positions with two payloads`,
      `${count("lost_terminal")} lost terminals, ${count("lost_event")} lost events`,
      `${count("refused_but_stored")} refused but stored, ${count("needless_restart")} disturbed without cause`,
      `${count("answer")} wrong answers, ${count("broken")} broken rounds`,
    ].join(", "),
  );
}

function row(rounds: readonly SettledRound[]): string {
  const sum = (of: (round: SettledRound) => number) => rounds.reduce((total, round) => total + of(round), 0);
  return [
    [rounds.length, 6],
    [sum(({ report }) => report.events), 6],
    [sum(({ report }) => report.terminals), 9],
    [sum(({ report }) => report.watchers), 8],
    [sum(({ report }) => report.deliveries), 10],
    [sum(({ report }) => report.restarts), 4],
    [sum(({ report }) => report.faults.length), 6],
    [Math.round(sum(({ seconds }) => seconds)), 7],
  ]
    .map(([value, width]) => `${value}`.padStart(width as number))
    .join("  ");
}

await main();
