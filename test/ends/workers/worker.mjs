import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { TelltalePublisher } from "./publisher.mjs";

/** The work of `work.py`, with the publisher for TypeScript. */
const plan = JSON.parse(process.env.PLAN);
const stages = ["frame_extraction", "model_inference"];
const note = (line) => appendFileSync(plan.said, `${line}\n`);

await new TelltalePublisher().run(
  plan.analysis_id,
  async (analysis) => {
    note(`pid ${process.pid}`);
    for (let number = 1; number <= plan.total; number++) {
      note(number);
      analysis.report({ progress: Math.min(1, number / 1000), stage: stages[number % 2], number });
      await pause(plan.pause * 1000);
      while (number === plan.hold && !existsSync(plan.go)) {
        analysis.signal.throwIfAborted();
        await pause(50);
      }
      analysis.signal.throwIfAborted();
    }
    note(`end ${Date.now() / 1000}`);
    if (plan.ends === "raises") throw new RangeError("a bad frame");
    if (plan.ends === "exits") process.exit(3);
    analysis.result({ data: { numbers: plan.total } });
  },
  plan.attempt_id === undefined ? {} : { attemptId: plan.attempt_id },
);
