import type { Stage } from "../../../domain/stages.ts";

export type DemoOutcome = "fake" | "authentic" | "failure";

/** One message of the built-in pipeline, at its time after the start. */
export interface DemoStep {
  readonly atMs: number;
  readonly stage: Stage;
  /** 0.0–1.0 over the whole analysis. */
  readonly progress: number;
  readonly message: string;
}

export interface DemoScript {
  readonly steps: readonly DemoStep[];
  /** The time of the result or the error. */
  readonly endsAtMs: number;
}

interface StagePlan {
  readonly stage: Stage;
  readonly durationMs: number;
  readonly steps: number;
  readonly until: number;
  readonly message: (done: number) => string;
}

export const DEMO_FRAMES = 720;

const frame = (done: number) => Math.round(done * DEMO_FRAMES);

const STAGES: readonly StagePlan[] = [
  {
    stage: "initializing",
    durationMs: 1_400,
    steps: 2,
    until: 0.03,
    message: () => "Setting up the analysis",
  },
  {
    stage: "uploading",
    durationMs: 3_200,
    steps: 7,
    until: 0.15,
    message: (done) => `${(24.6 * done).toFixed(1)} of 24.6 MB received`,
  },
  {
    stage: "frame_extraction",
    durationMs: 4_400,
    steps: 9,
    until: 0.32,
    message: (done) => `${frame(done)} of ${DEMO_FRAMES} frames extracted`,
  },
  {
    stage: "feature_extraction",
    durationMs: 5_000,
    steps: 10,
    until: 0.52,
    message: (done) => `Faces and landmarks: frame ${frame(done)} of ${DEMO_FRAMES}`,
  },
  {
    stage: "model_inference",
    durationMs: 6_400,
    steps: 12,
    until: 0.86,
    message: (done) => `Batch ${Math.max(1, Math.round(done * 12))} of 12`,
  },
  {
    stage: "post_processing",
    durationMs: 2_600,
    steps: 5,
    until: 0.95,
    message: (done) => (done < 0.5 ? "Comparing neighbouring frames" : "Drawing the suspicious regions"),
  },
  {
    stage: "blockchain_submission",
    durationMs: 2_000,
    steps: 3,
    until: 0.99,
    message: (done) => (done < 0.6 ? "Fingerprinting the verdict" : "Recording the fingerprint"),
  },
];

/** The share of the model's run that a failing analysis completes. */
const FAILS_AFTER_STEPS_OF_MODEL = 8;

/** The messages of a worker with their times: about 25 seconds, or until the model gives up. */
export function demoScript(outcome: DemoOutcome): DemoScript {
  const steps: DemoStep[] = [];
  let startMs = 0;
  let from = 0;
  for (const plan of STAGES) {
    const fails = outcome === "failure" && plan.stage === "model_inference";
    const count = fails ? FAILS_AFTER_STEPS_OF_MODEL : plan.steps;
    for (let step = 0; step < count; step += 1) {
      // The first message opens the stage, the last one comes just before its end.
      const done = step / Math.max(1, plan.steps - 1);
      steps.push({
        atMs: Math.round(startMs + (plan.durationMs * step) / plan.steps),
        stage: plan.stage,
        progress: Math.round((from + (plan.until - from) * done) * 1000) / 1000,
        message: plan.message(done),
      });
    }
    if (fails) return { steps, endsAtMs: startMs + (plan.durationMs * count) / plan.steps };
    startMs += plan.durationMs;
    from = plan.until;
  }
  return { steps, endsAtMs: startMs };
}
