import { expect, test } from "bun:test";
import type { AppendOutcome, PublishedEvent } from "../../application/ports/pub-sub-port.ts";
import type { EncodedEvent } from "../../domain/analysis-event.ts";
import { cancelled, completed, dataResult, failed, fault, result, status } from "../encoded-events.ts";
import { someAnalysis } from "../some-analysis.ts";
import type { PubSubRuleContext } from "./pub-sub-under-test.ts";

export function attemptRules({ node }: PubSubRuleContext): void {
  /** Appends one by one to a new analysis and says of each whether it was kept, reopened or refused. */
  async function course(events: readonly EncodedEvent[]): Promise<string[]> {
    const publisher = await node();
    const channel = someAnalysis();
    const answers: string[] = [];
    for (const event of events) {
      const outcome = await publisher.append({ channel, events: [event] });
      const kept = (await publisher.history(channel, undefined, 1_000)).events;
      answers.push(answerOf(outcome, kept));
    }
    return answers;
  }

  test("PS-14 the events of an earlier attempt are refused once a new one has begun", async () => {
    const events = ["a", "a", "b", "a", "b", "c", "b", "a", "c"].map((attemptId) => status({ attemptId }));
    expect(await course(events)).toEqual([
      "kept",
      "kept",
      "reopened",
      "attempt_superseded",
      "kept",
      "reopened",
      "attempt_superseded",
      "attempt_superseded",
      "kept",
    ]);
  });

  test("PS-14 a new attempt reopens the analysis, whatever its first event", async () => {
    const publisher = await node();
    const channel = someAnalysis();
    await publisher.append({
      channel,
      events: [status({ attemptId: "a", stage: "uploading" }), result({ attemptId: "a", note: "first" })],
    });
    await publisher.append({ channel, events: [completed({ attemptId: "b" })] });
    const reopened = await publisher.snapshot(channel);
    expect(reopened.currentTerminal).toBeUndefined();
    expect(reopened.stages.map(({ stage, offset }) => [stage, offset])).toEqual([["completed", 3]]);
    await publisher.append({ channel, events: [fault({ attemptId: "c", note: "at once" })] });
    const faulted = await publisher.snapshot(channel);
    expect(faulted.currentTerminal?.text).toContain("at once");
    expect(faulted.currentTerminal?.reopens).toBe(true);
    expect(faulted.stages).toEqual([]);
  });

  const ended: [string, EncodedEvent, string[]][] = [
    ["result", result({ attemptId: "a" }), ["completed"]],
    ["error", fault({ attemptId: "a" }), ["failed"]],
    ["stage failed", failed({ attemptId: "a" }), ["error"]],
    ["a result of any data", dataResult({ attemptId: "a" }), ["completed"]],
    ["stage cancelled", cancelled({ attemptId: "a" }), []],
  ];
  for (const [name, last, allowed] of ended) {
    test(`PS-15 after ${name} an attempt may only send ${allowed.join() || "nothing"}`, async () => {
      const further = { status, completed, failed, cancelled, result, dataResult, error: fault };
      for (const [next, make] of Object.entries(further)) {
        const answers = await course([status({ attemptId: "a" }), last, make({ attemptId: "a" })]);
        expect([next, ...answers]).toEqual([
          next,
          "kept",
          "kept",
          allowed.includes(next) ? "kept" : "attempt_ended",
        ]);
      }
    });
  }

  test("PS-15 the last terminal event of the attempt decides what may still follow", async () => {
    const attemptId = "a";
    expect(
      await course([
        failed({ attemptId }),
        fault({ attemptId }),
        fault({ attemptId }),
        failed({ attemptId }),
      ]),
    ).toEqual(["kept", "kept", "attempt_ended", "kept"]);
  });

  test("PS-16 without an attempt id a status after a terminal event reopens, and only that", async () => {
    expect(
      await course([result(), completed(), result(), status(), status(), fault(), failed(), status()]),
    ).toEqual(["kept", "kept", "kept", "reopened", "kept", "kept", "kept", "reopened"]);
    expect(
      await course([dataResult(), completed(), status(), status(), cancelled(), completed(), status()]),
    ).toEqual(["kept", "kept", "reopened", "kept", "kept", "kept", "reopened"]);
  });

  test("PS-16 events without an attempt id neither end an attempt nor are ended by it", async () => {
    const attemptId = "a";
    expect(
      await course([
        status({ attemptId }),
        result(),
        fault({ attemptId }),
        status(),
        completed({ attemptId }),
      ]),
    ).toEqual(["kept", "kept", "kept", "reopened", "attempt_ended"]);
    expect(await course([status({ attemptId }), result(), status({ attemptId })])).toEqual([
      "kept",
      "kept",
      "reopened",
    ]);
    expect(await course([result({ attemptId }), status(), status({ attemptId }), result()])).toEqual([
      "kept",
      "reopened",
      "attempt_ended",
      "kept",
    ]);
  });
}

function answerOf(outcome: AppendOutcome, kept: readonly PublishedEvent[]): string {
  if (outcome.type === "refused") return outcome.code;
  return kept.at(-1)?.reopens ? "reopened" : "kept";
}
