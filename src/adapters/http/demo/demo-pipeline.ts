import type { ClockPort } from "../../../application/ports/clock-port.ts";
import type { TelltalePublisher } from "../../../client/publisher.ts";
import { type DemoOutcome, type DemoScript, type DemoStep, demoScript } from "./demo-script.ts";
import { demoFailure, demoVerdict } from "./demo-verdict.ts";

/** The part of the publisher that the pipeline uses. */
export type DemoPublisher = Pick<
  TelltalePublisher,
  "declareViewers" | "sendStatusUpdate" | "sendResultUpdate" | "sendErrorUpdate"
>;

interface DemoRun {
  readonly analysisId: string;
  readonly outcome: DemoOutcome;
  /** 1 takes about 25 seconds, 5 a fifth of that. */
  readonly speed: number;
  readonly publisher: DemoPublisher;
}

/**
 * Workers that only pretend to analyse a video, but publish like real ones. They end with this process: an analysis whose
 * gateway was killed gets no further event.
 */
export class DemoPipelines {
  readonly #clock: ClockPort;
  readonly #limit: number;
  readonly #onFault: (analysisId: string, error: unknown) => void;
  readonly #running = new Map<string, () => void>();

  /** `onFault` is told of an event that could not be published; its run has ended. */
  constructor(clock: ClockPort, limit: number, onFault: (analysisId: string, error: unknown) => void) {
    this.#clock = clock;
    this.#limit = limit;
    this.#onFault = onFault;
  }

  get running(): number {
    return this.#running.size;
  }

  /** False if the most that are allowed run already. */
  start(run: DemoRun): boolean {
    if (this.#running.size >= this.#limit) return false;
    const ended = new AbortController();
    this.#running.set(run.analysisId, () => ended.abort());
    this.#play(run, ended.signal)
      .catch((error: unknown) => this.#onFault(run.analysisId, error))
      .finally(() => this.#running.delete(run.analysisId));
    return true;
  }

  stopAll(): void {
    for (const stop of this.#running.values()) stop();
  }

  async #play(run: DemoRun, ended: AbortSignal): Promise<void> {
    const { analysisId, publisher, outcome } = run;
    const script = demoScript(outcome);
    const startedAt = this.#clock.now();
    const realMs = (scriptMs: number) => scriptMs / run.speed;
    const until = (scriptMs: number) => this.#wait(startedAt + realMs(scriptMs) - this.#clock.now(), ended);

    await publisher.declareViewers(analysisId, "*");
    for (const step of script.steps) {
      if (!(await until(step.atMs))) return;
      const { cancelRequested } = await publisher.sendStatusUpdate(analysisId, {
        task_id: `demo-${analysisId}`,
        current_stage: step.stage,
        progress: step.progress,
        message: step.message,
        estimated_completion: new Date(startedAt + realMs(guessedEnd(step, script))).toISOString(),
      });
      if (cancelRequested) {
        await publisher.sendStatusUpdate(analysisId, {
          task_id: `demo-${analysisId}`,
          current_stage: "cancelled",
          progress: step.progress,
          message: "The pipeline stopped, as it was asked to",
        });
        return;
      }
    }
    if (!(await until(script.endsAtMs))) return;
    if (outcome === "failure") {
      await publisher.sendErrorUpdate(analysisId, demoFailure());
      return;
    }
    const tookMs = Math.round(this.#clock.now() - startedAt);
    await publisher.sendResultUpdate(analysisId, demoVerdict(outcome, tookMs));
  }

  /** False if the run was stopped meanwhile. */
  #wait(milliseconds: number, ended: AbortSignal): Promise<boolean> {
    if (ended.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const stopTimer = this.#clock.after(Math.max(0, milliseconds), () => resolve(true));
      ended.addEventListener("abort", () => {
        stopTimer();
        resolve(false);
      });
    });
  }
}

/** A worker's guess: too hopeful at first, right in the end. A failing run does not know that it will fail. */
function guessedEnd(step: DemoStep, script: DemoScript): number {
  const whole = Math.max(script.endsAtMs, demoScript("fake").endsAtMs);
  const missing = 1 - step.progress;
  return whole * (1 - 0.12 * missing);
}
