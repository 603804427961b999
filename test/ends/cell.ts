import { eventually } from "../../src/testing/eventually.ts";
import type { Bench, DeploymentName } from "./bench.ts";
import type { Deployment } from "./deployment.ts";
import { type CaseName, type Expected, expectedOf } from "./expected.ts";
import { type KindName, poolOf, type Started, startRun } from "./kinds.ts";
import type { Outage } from "./outage.ts";
import { type Plan, PlannedRun } from "./plan.ts";
import { Watch } from "./watch.ts";

const PATIENCE_MS = 120_000;
const MOST_OUTPUT = 1_500;

export interface Outages {
  readonly gateway: Outage;
  readonly redis: Outage;
}

/** One kind of worker in one case: what runs, and who watches it. */
export class Cell {
  readonly bench: Bench;
  readonly kind: KindName;
  readonly name: CaseName;
  readonly expected: Expected;
  readonly outages: Outages;
  readonly deployment: Deployment;
  readonly analysisId = crypto.randomUUID();
  readonly watch: Watch;
  /** The runs of the worker, the first one first. A task that is delivered again is one. */
  readonly runs: PlannedRun[] = [];
  readonly #started: Started[] = [];
  readonly #queue: string;

  constructor(bench: Bench, name: CaseName, kind: KindName, outages: Outages) {
    this.bench = bench;
    this.name = name;
    this.kind = kind;
    this.outages = outages;
    this.expected = expectedOf(name, kind);
    const deploymentName = deploymentOf(name, this.expected);
    this.deployment = bench.deployment(deploymentName);
    // A worker with threads is stopped and killed as a whole, so it has no other task then.
    const isAlone =
      kind === "Celery threads" && (name === "SIGKILL" || name === "SIGSTOP" || name === "redelivered");
    this.#queue = isAlone ? this.analysisId : `${kind}, ${deploymentName}`.replaceAll(/\W+/g, "-");
    this.watch = new Watch(this.deployment.url, this.analysisId);
  }

  get isTask(): boolean {
    return poolOf(this.kind) !== undefined;
  }

  plan(orders: Pick<Plan, "ends" | "total"> & { readonly attempt_id?: string }): PlannedRun {
    const run = new PlannedRun(this.bench.folder, {
      ...orders,
      analysis_id: this.analysisId,
      hold: HOLD,
      pause: PAUSE_SECONDS,
    });
    this.runs.push(run);
    return run;
  }

  /** Starts a run, and resolves when its watcher has seen that it waits. */
  async begin(run: PlannedRun, task?: "early" | "late"): Promise<void> {
    await this.start(run, task);
    await this.until("the worker waits", () => this.watch.hasNumber(HOLD) && run.pids.length > 0);
  }

  async start(run: PlannedRun, task?: "early" | "late"): Promise<void> {
    const { kind, deployment } = this;
    this.#started.push(await startRun(this.bench, { kind, deployment, queue: this.#queue }, run, task));
  }

  /** The worker of its queue is killed, and another gets its task. */
  async replaceWorker(): Promise<void> {
    const pool = poolOf(this.kind);
    if (pool !== undefined) await this.bench.celery.replaceWorker(pool, this.#queue, this.deployment);
  }

  /** Until the processes of its runs have ended, as far as they are to end. */
  async processesEnd(): Promise<void> {
    await Promise.all(this.#started.map(({ exited }) => exited));
  }

  /** Rejects with all that is known of the cell if it takes too long. */
  async until(
    what: string,
    holds: () => boolean | Promise<boolean>,
    patienceMs = PATIENCE_MS,
  ): Promise<void> {
    await eventually(
      () => `${what}. ${this.report()}`,
      async () => holds(),
      patienceMs,
    );
  }

  report(): string {
    const events = this.watch.events.map((event) => event.number ?? event.current_stage ?? event.event_type);
    const seen = this.watch.seen.map(({ status }) => status);
    const output = this.#started
      .map((started) => started.output())
      .join("\n")
      .slice(-MOST_OUTPUT);
    return `Watched: ${events.join(" ")} (${seen.join(", ")}). Said: ${JSON.stringify(this.runs.map(({ said }) => said))}.\n${output}`;
  }
}

export const HOLD = 3;
export const PAUSE_SECONDS = 0.25;

function deploymentOf(name: CaseName, expected: Expected): DeploymentName {
  if (name === "gateway away") return "without its gateway";
  if (name === "Redis away") return "without its Redis";
  return expected.abandoned ? "abandoning" : "whole";
}
