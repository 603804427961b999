import { describe, expect, test } from "bun:test";
import { ChildOutput } from "../../../../../src/gateway/commands/run/child-output.ts";
import { type OutputLine, OutputLines } from "../../../../../src/gateway/commands/run/output-lines.ts";
import { usualProgress } from "../../../../../src/gateway/commands/run/progress-in-text.ts";
import { ID, working } from "../../../client/scripted-way.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function linesOf(...chunks: readonly (string | Uint8Array)[]): OutputLine[] {
  const lines: OutputLine[] = [];
  const reader = new OutputLines((line) => lines.push(line));
  for (const chunk of chunks) reader.push(typeof chunk === "string" ? bytes(chunk) : chunk);
  reader.end();
  return lines;
}

describe("OutputLines", () => {
  test("gives lines whole, however the bytes come", () => {
    const accented = bytes("é");
    expect(linesOf("on", "e\ntw", accented.subarray(0, 1), accented.subarray(1), "\r", "\n\nthree")).toEqual([
      { text: "one", isWhole: true },
      { text: "twé", isWhole: true },
      { text: "three", isWhole: true },
    ]);
  });

  test("gives a bar each time that it is written over, and bytes that are no text as well", () => {
    expect(linesOf("\r 1%", "\r 2%\r", " 3%\n", new Uint8Array([0xff, 0x0a]))).toEqual([
      { text: " 1%", isWhole: false },
      { text: " 2%", isWhole: false },
      { text: " 3%", isWhole: true },
      { text: "\ufffd", isWhole: true },
    ]);
  });

  test("gives a bar that nothing ends, once nothing follows it", async () => {
    const { promise, resolve } = Promise.withResolvers<OutputLine>();
    new OutputLines(resolve).push(bytes("\r 40%"));
    expect(await promise).toEqual({ text: " 40%", isWhole: false });
  });

  test("leaves out a line that is longer than an event may be", () => {
    const lines = linesOf("x".repeat(1_100_000), "y\n", "next\n");
    expect(lines).toEqual([{ text: "next", isWhole: true }]);
  });
});

function outputOf(lines: readonly string[], stream: "stdout" | "stderr" = "stdout") {
  const { analysis, way, pass, log } = working();
  const output = new ChildOutput(analysis, usualProgress(Date.now), (line) => log.push(line));
  for (const text of lines) output.take({ text, isWhole: true }, stream);
  return { analysis, way, pass, log, output };
}

describe("ChildOutput", () => {
  test("reports nothing of a file that the program writes, in which there is a percentage by chance", async () => {
    const image = new TextDecoder().decode(
      new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x20, 0x32, 0x25, 0x20, 0xd3]),
    );
    const { way, pass } = outputOf([image, "\u0000\u0001 2% ", "gr\ufffdne Bilder: 37%"]);
    await pass(300);
    expect(way.stored).toMatchObject([{ progress: 0.37 }]);
  });

  test("reports what a line shows, without its colours", async () => {
    const { way, pass } = outputOf(["nothing", "\u001b[32mframe\u001b[0m 12/24 \u001b]0;title\u0007"]);
    await pass(200);
    expect(way.stored).toMatchObject([{ current: 12, total: 24, progress: 0.5, message: "frame 12/24" }]);
  });

  test("publishes lines that are events, numbers as they were written", async () => {
    const { way, pass, output, analysis } = outputOf([
      '{"event_type":"status_update","progress":0.50,"current_stage":"model_inference","nanos":12345678901234567890}',
      '{"event_type":"result_update","analysis_id":"' +
        ID.toUpperCase() +
        '","confidence_score":0.9,"is_fake":true}',
    ]);
    await pass(200);
    expect(way.stored).toMatchObject([
      { event_type: "status_update", progress: 0.5, current_stage: "model_inference", task_id: ID },
      { event_type: "result_update", analysis_id: ID, confidence_score: 0.9, frames_processed: 0 },
    ]);
    expect([analysis.hasEnded, output.saidFailure]).toEqual([true, false]);
  });

  test("takes other JSON for what it is", async () => {
    const { way, pass } = outputOf(['{"event_type":"heartbeat"}', "{", '{"step": "3/4"}', "null"]);
    await pass(200);
    expect(way.stored).toMatchObject([{ current: 3, total: 4 }]);
  });

  test("publishes no event of another analysis, and says so", async () => {
    const { way, pass, log } = outputOf([
      '{"event_type":"error","analysis_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7","error_code":"x","error_message":"y"}',
    ]);
    await pass(200);
    expect([way.stored, log.length]).toEqual([[], 1]);
  });

  test.each([
    ['{"event_type":"error","error_code":"no_face","error_message":"none"}', { event_type: "error" }],
    [
      '{"event_type":"status_update","current_stage":"failed","message":"gave up"}',
      { current_stage: "failed", message: "gave up" },
    ],
  ])("knows that the program said itself that it failed: %s", async (line, stored) => {
    const { way, pass, output } = outputOf([line]);
    await pass(100);
    expect(output.saidFailure).toBe(true);
    expect(way.stored).toMatchObject([stored]);
  });

  test("keeps the last lines of standard error", () => {
    const { output } = outputOf(
      Array.from({ length: 50 }, (_, each) => `line ${each}`),
      "stderr",
    );
    expect(output.lastLines).toEqual(Array.from({ length: 20 }, (_, each) => `line ${30 + each}`));
    const { output: wide } = outputOf(["a".repeat(9_000), "b".repeat(3_000), "c".repeat(2_000)], "stderr");
    expect(wide.lastLines.map((line) => line.length)).toEqual([2_000]);
  });
});
