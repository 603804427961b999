import { errorEvent, resultUpdate, statusUpdate } from "../../support/publishing.ts";
import type { FaultStage } from "./fault-stage.ts";
import type { Ending, WatchedAnalysis } from "./schedule.ts";

const STAGES = ["initializing", "uploading", "frame_extraction", "model_inference", "post_processing"];

const ENDS: Readonly<Record<Ending, object>> = {
  result: resultUpdate(),
  failed: statusUpdate({ current_stage: "failed", message: "no frames" }),
  cancelled: statusUpdate({ current_stage: "cancelled", message: "nobody wants it" }),
  error: errorEvent(),
};

/** Says everything that the schedule has for one analysis. Resolves when the end of it is stored. */
export async function work(
  stage: FaultStage,
  id: string,
  viewer: string,
  plan: WatchedAnalysis,
): Promise<void> {
  const began = performance.now();
  const at = (ms: number) => Bun.sleep(Math.max(0, began + ms - performance.now()));
  const declared = at(plan.declaredAt).then(() => stage.declare(id, [viewer]));
  for (let number = 1; number <= plan.events; number += 1) {
    await at((plan.endsAt * number) / plan.events);
    const done = number / plan.events;
    const current_stage = STAGES[Math.floor(done * (STAGES.length - 1))];
    await stage.publish(id, statusUpdate({ current_stage, progress: done, message: `event ${number}` }));
  }
  await declared;
  if (plan.cancelAt !== undefined) await cancelRequested(stage, id);
  await stage.publish(id, ENDS[plan.ending]);
}

async function cancelRequested(stage: FaultStage, id: string): Promise<void> {
  const going = statusUpdate({ current_stage: "post_processing", message: "goes on" });
  while (!(await stage.publish(id, going)).cancel_requested) await Bun.sleep(300);
}
