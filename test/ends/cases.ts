import { type Cell, HOLD, PAUSE_SECONDS } from "./cell.ts";
import type { CaseName } from "./expected.ts";
import type { Outage } from "./outage.ts";
import type { PlannedRun } from "./plan.ts";

/** Resolves with the time from which the end could be known, in milliseconds since 1970. */
type Play = (cell: Cell) => Promise<() => number | undefined>;

const TOTAL = 6;
/** So many that nobody waits for the last of them. */
const ENDLESS = 100_000;

const plays: Readonly<Record<CaseName, Play>> = {
  finishes: (cell) => toItsEnd(cell, cell.plan({ ends: "finishes", total: TOTAL })),
  raises: (cell) => toItsEnd(cell, cell.plan({ ends: "raises", total: TOTAL })),
  // After its wait nothing is under way that an exit could lose.
  "exits with 3": (cell) => toItsEnd(cell, cell.plan({ ends: "exits", total: HOLD })),

  SIGKILL: async (cell) => {
    const run = cell.plan({ ends: "finishes", total: TOTAL });
    await cell.begin(run);
    process.kill(pidOf(run), "SIGKILL");
    const killedAt = Date.now();
    return () => abandonedAt(cell) ?? killedAt;
  },

  SIGSTOP: async (cell) => {
    const run = cell.plan({ ends: "finishes", total: TOTAL });
    await cell.begin(run);
    const pid = pidOf(run);
    process.kill(pid, "SIGSTOP");
    await Bun.sleep(cell.bench.lengths.stopped * 1000);
    await cell.until("the watcher is told of the silence", () => cell.watch.seenStalled);
    process.kill(pid, "SIGCONT");
    run.go();
    return () => run.endedAt;
  },

  "gateway away": (cell) => through(cell, cell.outages.gateway),
  "Redis away": (cell) => through(cell, cell.outages.redis),

  revoked: async (cell) => {
    const run = cell.plan({ ends: "finishes", total: ENDLESS });
    await cell.begin(run);
    if (cell.kind === "Celery prefork") {
      const revokedAt = Date.now();
      await cell.bench.celery.revoke(cell.analysisId);
      return () => revokedAt;
    }
    await cell.deployment.cancel(cell.analysisId);
    const cancelledAt = Date.now();
    // It hears of it by the answer to its next number.
    run.go();
    return () => cancelledAt;
  },

  redelivered: async (cell) => {
    if (!cell.isTask) return runAgain(cell);
    const run = cell.plan({ ends: "finishes", total: TOTAL });
    await cell.begin(run, "late");
    run.go();
    if (cell.kind === "Celery prefork") process.kill(pidOf(run), "SIGKILL");
    else await cell.replaceWorker();
    return () => run.endedAt;
  },
};

export const play = (cell: Cell) => plays[cell.name](cell);

async function toItsEnd(cell: Cell, run: PlannedRun) {
  await cell.begin(run);
  run.go();
  return () => abandonedAt(cell) ?? run.endedAt;
}

/** The worker says half a dozen numbers or more, and its end, while the server is away. */
async function through(cell: Cell, outage: Outage) {
  const half = Math.ceil(cell.bench.lengths.away / 2 / PAUSE_SECONDS);
  const run = cell.plan({ ends: "finishes", total: HOLD + half });
  try {
    await cell.begin(run);
  } finally {
    await outage.ready();
  }
  run.go();
  const backAt = await outage.over;
  return () => run.endedAt && Math.max(backAt, run.endedAt);
}

/** A second run, with an attempt of its own, replaces one that goes on afterwards. */
async function runAgain(cell: Cell) {
  const first = cell.plan({ ends: "finishes", total: TOTAL, attempt_id: "first" });
  const second = cell.plan({ ends: "finishes", total: TOTAL, attempt_id: "second" });
  await cell.begin(first);
  second.go();
  await cell.start(second);
  await cell.until("the second run has ended", () => cell.watch.status === "completed");
  first.go();
  return () => second.endedAt;
}

function pidOf(run: PlannedRun): number {
  const pid = run.pids.at(-1);
  if (pid === undefined) throw new Error("the worker has no process");
  return pid;
}

/** When the worker had been silent for ABANDON_AFTER_SECONDS; undefined if the gateway has not ended the analysis. */
function abandonedAt({ watch, bench, expected }: Cell): number | undefined {
  const end = expected.abandoned && watch.events.findLast(({ event_type }) => event_type === "error");
  const since = (end as { readonly error_details?: { readonly silent_since?: unknown } } | undefined)
    ?.error_details?.silent_since;
  return typeof since === "string" ? Date.parse(since) + bench.lengths.abandon * 1000 : undefined;
}
