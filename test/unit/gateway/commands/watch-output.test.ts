import { describe, expect, test } from "bun:test";
import type { ConnectionStatus } from "../../../../src/client/sdk.ts";
import { type AnalysisState, emptyState } from "../../../../src/domain/analysis-state.ts";
import { progressLine, type ShownProgress } from "../../../../src/gateway/commands/watch/progress-line.ts";
import {
  jsonOutput,
  lineOutput,
  terminalOutput,
} from "../../../../src/gateway/commands/watch/watch-output.ts";

const ASKED = { requested_at: "2026-11-28T12:00:00Z", user_id: "alice", reason: null };

const LIVE: ConnectionStatus = { status: "live", transport: "websocket" };
const GONE: ConnectionStatus = { status: "waiting", retryAt: 0, code: 1006, reason: "" };
const PLAIN = { columns: 80, color: false, bar: true };

function shown(state: Partial<AnalysisState>, more: Partial<ShownProgress> = {}): ShownProgress {
  const whole = {
    ...emptyState("0f8fad5b-d9cb-469f-a165-70867728950e"),
    status: "running" as const,
    current_stage: "uploading" as const,
    ...state,
  };
  return { state: whole, secondsLeft: undefined, connection: LIVE, ...more };
}

function found(data: unknown, summary: string | null = null): AnalysisState["result"] {
  return { event_type: "result", analysis_id: "a", data, summary, timestamp: "2026-11-28T12:00:00Z" };
}

describe("progressLine()", () => {
  test("has a bar, the share, the stage, the time left and the message", () => {
    const line = progressLine(shown({ progress: 0.5, message: "half of it" }, { secondsLeft: 80 }), {
      ...PLAIN,
      columns: 100,
    });
    expect(line).toBe(
      `${"█".repeat(15)}${"░".repeat(15)} 50 %  uploading  about 1 min 20 s left  half of it`,
    );
  });

  test.each([20, 40, 80, 200])("fits into %d columns, also with wide characters", (columns) => {
    const line = progressLine(shown({ progress: 1, message: "動画を解析しています🎬".repeat(20) }), {
      ...PLAIN,
      columns,
    });
    expect(Bun.stringWidth(line)).toBeLessThan(columns);
  });

  test("obeys nothing that a worker wrote for a terminal", () => {
    const line = progressLine(shown({ progress: 0, message: "a\u001b[2Jb\r\nc\u202ed" }), PLAIN);
    expect(line).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(line).toContain("a [2Jb  c d");
  });

  test("has colours only if it may", () => {
    expect(progressLine(shown({ progress: 0.5 }), PLAIN)).not.toContain("\u001b");
    expect(progressLine(shown({ progress: 0.5 }), { ...PLAIN, color: true })).toContain("\u001b[32m█");
  });

  test.each([
    [{ status: "unknown" }, LIVE, "waiting for the first event"],
    [{ status: "unknown" }, GONE, "connecting  no connection to the gateway; trying again"],
    [
      { status: "stalled", progress: 0.5, updated_at: "2026-11-28T12:00:00Z" },
      LIVE,
      "silent since 2026-11-28T12:00:00Z",
    ],
    [{ progress: 0.5 }, GONE, "50 %  uploading  no connection to the gateway; trying again"],
    [{ status: "completed" }, LIVE, "✓ completed"],
    [{ status: "failed" }, LIVE, "✗ failed"],
    [{ status: "cancelled", message: "by alice" }, LIVE, "■ cancelled  by alice"],
    [
      { status: "cancelled", message: "Cancelled", cancelled_by: { ...ASKED, reason: "too slow" } },
      LIVE,
      "■ cancelled  Cancelled (requested by alice: too slow)",
    ],
    [
      { status: "cancelled", cancelled_by: { ...ASKED, user_id: null } },
      LIVE,
      "■ cancelled  (requested by somebody)",
    ],
    [{ status: "queued", message: "third in line" }, LIVE, "queued  third in line"],
    [{ status: "queued" }, GONE, "queued  no connection to the gateway; trying again"],
    [{ progress: 0.5, current: 340, total: 1000, unit: "frames" }, LIVE, "uploading  340/1000 frames"],
    [{ progress: 0.5, current: 340, unit: "frames" }, LIVE, "uploading  340 frames"],
    [{ progress: 0.5, current: 340, total: 1000 }, LIVE, "uploading  340/1000"],
    [{ progress: 0.5, total: 1000, unit: "frames" }, LIVE, "uploading"],
    [{ status: "completed", result: found({ a: [1] }) }, LIVE, '✓ completed  {"a":[1]}'],
    [{ status: "completed", result: found(7, "seven") }, LIVE, "✓ completed  seven"],
  ] as const)("says of %j while %j", (state, connection, words) => {
    expect(progressLine(shown(state, { connection }), { ...PLAIN, columns: 120 })).toEndWith(words);
  });

  test("says nothing of a connection that is made anew at once", () => {
    const connection = { ...GONE, code: 4001 };
    expect(progressLine(shown({ progress: 0.5 }, { connection }), PLAIN)).toEndWith("uploading");
  });
});

describe("the outputs of watch", () => {
  const record = () => {
    const written: string[] = [];
    return { written, write: (text: string) => void written.push(text) };
  };

  test("the terminal's draws one line again, and only if it changed", () => {
    const { written, write } = record();
    const output = terminalOutput(write, () => 80, false);
    for (const progress of [0.1, 0.1, 0.2]) output.show(shown({ progress }));
    output.end(shown({ progress: 0.2 }));
    expect(written).toEqual([
      expect.stringContaining(" 10 %  uploading\u001b[K"),
      expect.stringContaining(" 20 %  uploading\u001b[K"),
      "\n",
    ]);
  });

  test("the log's writes each stage and each tenth of the way, and the end once", () => {
    const { written, write } = record();
    const output = lineOutput(write, () => {});
    output.show(shown({ status: "unknown" }, { connection: { status: "connecting" } }));
    for (const progress of [0.1, 0.15, 0.2, 0.05]) output.show(shown({ progress }));
    output.show(shown({ progress: 0.06, current_stage: "model_inference" }));
    output.show(shown({ status: "completed" }));
    output.end(shown({ status: "completed" }));
    expect(written.map((line) => line.slice(0, 4))).toEqual(["10 %", "20 %", "5 % ", "6 % ", "✓ co"]);
  });

  test("the pipe's escapes what a terminal would obey, with the same values", () => {
    const { written, write } = record();
    const text = '{"message":"a\u009bb\u202ec\u007f"}';
    jsonOutput(write, () => {}).event(text);
    expect(written).toEqual(['{"message":"a\\u009bb\\u202ec\\u007f"}\n']);
  });

  test("the pipe's writes the events as they came, and trouble on standard error once", () => {
    const [out, err] = [record(), record()];
    const output = jsonOutput(out.write, err.write);
    const again = { ...GONE, code: 1001, reason: "going away" };
    for (const connection of [LIVE, again, again, LIVE]) output.show(shown({}, { connection }));
    output.event('{"event_id":"e-1", "n":1.0}');
    expect(out.written).toEqual(['{"event_id":"e-1", "n":1.0}\n']);
    expect(err.written).toEqual([
      "no connection to the gateway (1001, going away); trying again",
      "connected again",
    ]);
  });
});
