import { describe, expect, test } from "bun:test";
import { DemoPipelines, type DemoPublisher } from "../../../../src/adapters/http/demo/demo-pipeline.ts";
import { type DemoOutcome, demoScript } from "../../../../src/adapters/http/demo/demo-script.ts";
import { demoVerdict } from "../../../../src/adapters/http/demo/demo-verdict.ts";
import { decodeEvent } from "../../../../src/domain/decode-event.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";
import { someAnalysis } from "../../../../src/testing/some-analysis.ts";
import { turn } from "../../../support/turn.ts";

const channel = someAnalysis();
const ID = channel.slice("analysis:".length);

interface Sent {
  readonly event_type: string;
  readonly [field: string]: unknown;
}

/** Takes down what the pipeline publishes, as the gateway would get it. */
function recorder(
  failAt = Number.POSITIVE_INFINITY,
  cancelledAt = Number.POSITIVE_INFINITY,
): {
  sent: Sent[];
  viewers: unknown[];
  publisher: DemoPublisher;
} {
  const sent: Sent[] = [];
  const viewers: unknown[] = [];
  const take = (event_type: string) => async (_id: string, fields: object) => {
    if (sent.length === failAt) throw new Error("the gateway is away");
    sent.push({ ...fields, event_type });
    return { eventIds: [`e-${sent.length}`], duplicate: false, cancelRequested: sent.length >= cancelledAt };
  };
  const publisher: DemoPublisher = {
    declareViewers: async (_id, list) => void viewers.push(list),
    sendStatusUpdate: take("status_update"),
    sendResultUpdate: take("result_update"),
    sendErrorUpdate: take("error"),
  };
  return { sent, viewers, publisher };
}

/** Lets time pass in small steps, and between them everything that waits for no timer. */
async function pass(clock: ManualClock, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 50) {
    clock.advance(50);
    await turn();
  }
}

function pipelines(limit = 20) {
  const clock = new ManualClock();
  const faults: unknown[] = [];
  return { clock, faults, running: new DemoPipelines(clock, limit, (_id, error) => faults.push(error)) };
}

describe("the built-in pipeline", () => {
  test.each([
    ["fake", "result_update"],
    ["authentic", "result_update"],
    ["failure", "error"],
  ] as const)(
    "%s: every event passes the gateway's own rules, and the last is a %s",
    async (outcome, last) => {
      const { clock, running } = pipelines();
      const { sent, publisher, viewers } = recorder();
      expect(running.start({ analysisId: ID, outcome, speed: 1, publisher })).toBe(true);
      await pass(clock, 26_000);
      const refused = sent
        .map((event) => decodeEvent(JSON.stringify(event), { channel, now: clock.now() }))
        .filter(({ ok }) => !ok);
      expect(refused).toEqual([]);
      expect(sent.at(-1)?.event_type).toBe(last);
      expect(sent.length).toBeGreaterThan(30);
      expect(viewers).toEqual(["*"]);
      expect(running.running).toBe(0);
    },
  );

  test("takes about twenty-five seconds, and as many times less as it is told to be fast", async () => {
    const { clock, running } = pipelines();
    const slow = recorder();
    const fast = recorder();
    running.start({ analysisId: ID, outcome: "fake", speed: 1, publisher: slow.publisher });
    running.start({ analysisId: crypto.randomUUID(), outcome: "fake", speed: 5, publisher: fast.publisher });
    await pass(clock, 5_100);
    expect(fast.sent.at(-1)?.event_type).toBe("result_update");
    await pass(clock, 19_000);
    expect(slow.sent.at(-1)?.event_type).toBe("status_update");
    await pass(clock, 1_500);
    expect(slow.sent.at(-1)?.event_type).toBe("result_update");
  });

  test.each(["fake", "authentic", "failure"] as DemoOutcome[])("%s: progress never falls", (outcome) => {
    const progress = demoScript(outcome).steps.map((step) => step.progress);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  });

  test("an authentic clip has no suspicious regions, a manipulated one has some with a timecode", () => {
    expect(demoVerdict("authentic", 1).suspicious_regions).toEqual([]);
    expect(demoVerdict("fake", 1).suspicious_regions[0]).toMatchObject({
      frame_number: 212,
      timecode: "00:00:07.067",
    });
  });

  test("says no to one more than may run, and yes again when one has ended", async () => {
    const { clock, running } = pipelines(1);
    const { publisher } = recorder();
    const run = { outcome: "fake", speed: 10, publisher } as const;
    expect(running.start({ ...run, analysisId: ID })).toBe(true);
    expect(running.start({ ...run, analysisId: crypto.randomUUID() })).toBe(false);
    await pass(clock, 2_600);
    expect(running.start({ ...run, analysisId: crypto.randomUUID() })).toBe(true);
  });

  test("ends, and says why, when an event cannot be published", async () => {
    const { clock, faults, running } = pipelines();
    const { sent, publisher } = recorder(3);
    running.start({ analysisId: ID, outcome: "fake", speed: 1, publisher });
    await pass(clock, 26_000);
    expect(sent).toHaveLength(3);
    expect(faults).toEqual([new Error("the gateway is away")]);
    expect(running.running).toBe(0);
  });

  test("CAN-7: ends as cancelled once an answer says that somebody asked for it", async () => {
    const { clock, running } = pipelines();
    const { sent, publisher } = recorder(undefined, 5);
    running.start({ analysisId: ID, outcome: "fake", speed: 1, publisher });
    await pass(clock, 26_000);
    expect(sent).toHaveLength(6);
    expect(sent[5]).toMatchObject({ current_stage: "cancelled", progress: sent[4]?.progress });
    expect(running.running).toBe(0);
  });

  test("stopAll() ends what still runs, in silence", async () => {
    const { clock, faults, running } = pipelines();
    const { sent, publisher } = recorder();
    running.start({ analysisId: ID, outcome: "fake", speed: 1, publisher });
    await pass(clock, 1_000);
    const before = sent.length;
    running.stopAll();
    await pass(clock, 26_000);
    expect(sent).toHaveLength(before);
    expect(faults).toEqual([]);
    expect(running.running).toBe(0);
  });
});
