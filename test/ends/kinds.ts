import { join } from "node:path";
import { commandWords } from "../support/telltale-run.ts";
import type { Bench } from "./bench.ts";
import { type Pool, PYTHON, PYTHON_PATH, workersFolder } from "./celery.ts";
import type { Deployment } from "./deployment.ts";
import type { PlannedRun } from "./plan.ts";
import { startGroup } from "./process-group.ts";

export const KIND_NAMES = [
  "Celery prefork",
  "Celery threads",
  "script",
  "telltale run",
  "TypeScript",
] as const;
export type KindName = (typeof KIND_NAMES)[number];

/** A run that has begun. */
export interface Started {
  /** Resolves when its process has ended; undefined for a task, whose worker goes on. */
  readonly exited?: Promise<number>;
  output(): string;
}

export const poolOf = (kind: KindName): Pool | undefined =>
  kind === "Celery prefork" ? "prefork" : kind === "Celery threads" ? "threads" : undefined;

/** Begins a run of this kind. `queue` is the one of its task. */
export async function startRun(
  bench: Bench,
  {
    kind,
    deployment,
    queue,
  }: { readonly kind: KindName; readonly deployment: Deployment; readonly queue: string },
  run: PlannedRun,
  task: "early" | "late" = "early",
): Promise<Started> {
  const pool = poolOf(kind);
  if (pool === undefined) return startAlone(bench, kind, deployment, run);
  const [worker] = await Promise.all([
    bench.celery.worker(pool, queue, deployment),
    bench.celery.send(queue, task, run),
  ]);
  return { output: worker.output };
}

async function startAlone(
  { folder, publisherFolder }: Bench,
  kind: KindName,
  deployment: Deployment,
  { plan }: PlannedRun,
): Promise<Started> {
  const env = { ...(await deployment.env()), PLAN: JSON.stringify(plan), PYTHONPATH: PYTHON_PATH };
  const attempt = plan.attempt_id === undefined ? [] : ["--attempt", plan.attempt_id];
  const program = [PYTHON, "-B", join(workersFolder, "program.py")];
  const commands: Partial<Record<KindName, readonly string[]>> = {
    script: [PYTHON, "-B", join(workersFolder, "script.py")],
    "telltale run": commandWords("run", "--analysis", plan.analysis_id, ...attempt, "--", ...program),
    TypeScript: [Bun.which("node") ?? "node", join(publisherFolder, "worker.mjs")],
  };
  return startGroup(commands[kind] ?? [], { cwd: folder, env });
}
