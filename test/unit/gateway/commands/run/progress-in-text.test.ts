import { describe, expect, test } from "bun:test";
import { parsePattern } from "../../../../../src/gateway/commands/run/own-pattern.ts";
import { usualProgress } from "../../../../../src/gateway/commands/run/progress-in-text.ts";

const NOW = Date.UTC(2026, 10, 24);
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();
const read = (line: string) => usualProgress(() => NOW)(line);

describe("usualProgress reads", () => {
  test.each([
    [
      "Epoch 1:  45%|████▌     | 45/100 [00:04<00:05, 10.00it/s]",
      { progress: 0.45, current: 45, total: 100, message: "Epoch 1", estimated_completion: at(5) },
    ],
    [
      " 33%|###3      | 1/3 [01:00:00<2:00:00, 3600.00s/frame, loss=0.3]",
      { progress: 1 / 3, current: 1, total: 3, unit: "frame", estimated_completion: at(7200) },
    ],
    [
      "a.mp4:  50%|█████     | 1.20M/2.40M [00:01<?, 1.2MB/s]",
      { progress: 0.5, current: 1_200_000, total: 2_400_000, unit: "MB", message: "a.mp4" },
    ],
    [
      "100%|██████████| 7/7 [00:00<00:00, 9.0it/s]",
      { progress: 1, current: 7, total: 7, estimated_completion: at(0) },
    ],
    ["120frames [00:04, 30.0frames/s]", { current: 120, unit: "frames" }],
    ["45it [00:04, 10.0it/s]", { current: 45 }],
  ])("a bar of tqdm: %s", (line, report) => {
    expect(read(line)).toEqual(report);
  });

  test.each([
    [
      "Working... ━━━━━━━━╸━━━━━━━━  37% 0:00:05",
      { progress: 0.37, message: "Working...", estimated_completion: at(5) },
    ],
    ["Frames ━━━━━━━━╸━━━━━━━━ 12/340 0:01:00", { current: 12, total: 340, message: "Frames" }],
    ["━━━━━━━━━━ 100%", { progress: 1 }],
  ])("a bar of rich: %s", (line, report) => {
    expect(read(line)).toEqual(report);
  });

  test("the status of ffmpeg, by the length of its longest input", () => {
    const reader = usualProgress(() => NOW);
    const status =
      "frame=  240 fps= 48 q=28.0 size=     256kB time=00:00:10.00 bitrate= 209.7kbits/s speed=1.9x";
    expect(reader(status)).toBeUndefined();
    expect(reader("  Duration: 00:00:20.00, start: 0.000000, bitrate: 1205 kb/s")).toBeUndefined();
    expect(reader("  Duration: 00:01:40.50, start: 0.000000, bitrate: 1205 kb/s")).toBeUndefined();
    expect(reader("  Duration: N/A, start: 0.000000")).toBeUndefined();
    expect(reader(status)).toEqual({ current: 10, total: 100.5, unit: "s" });
    expect(reader("size=N/A time=N/A bitrate=N/A")).toBeUndefined();
    expect(reader("out_time=00:01:41.000000")).toEqual({ current: 100.5, total: 100.5, unit: "s" });
  });

  test.each([
    ["frame 12/340", { current: 12, total: 340, message: "frame 12/340" }],
    ["[12 of 340] a.png", { current: 12, total: 340, message: "[12 of 340] a.png" }],
    ["37%", { progress: 0.37, message: "37%" }],
    ["done: 99.5 %.", { progress: 0.995, message: "done: 99.5 %." }],
  ])("counts and percentages: %s", (line, report) => {
    expect(read(line)).toEqual(report);
  });

  test.each([
    ["2026/11/28 12:00:00 begun"],
    ["11/28/2026"],
    ["/srv/1/2/a.png"],
    ["version 1.2/3.4"],
    ["13/12"],
    ["0/0"],
    ["150%"],
    ["-5%"],
    ["%d items"],
    ["loaded 340 frames"],
    ["[libx264 @ 0x55bb7ee65b80] ref B L1: 95.8%  4.2%"],
    ["[libx264 @ 0x55bb7ee65b80] using SAR=1/1"],
    ["video:93kB audio:0kB global headers:0kB muxing overhead: 5.135512%"],
    ["time=00:00:10.00"],
  ])("nothing from %s", (line) => {
    expect(read(line)).toBeUndefined();
  });
});

describe("parsePattern reads", () => {
  test("named groups, as JavaScript and Python write them", () => {
    const reader = parsePattern(
      "^(?P<stage>[a-z_]+): (?<current>[\\d,]+) out of (?P<total>\\d+) (?<unit>\\w+)",
    );
    expect(reader("model_inference: 1,200 out of 3000 frames")).toEqual({
      stage: "model_inference",
      current: 1200,
      total: 3000,
      unit: "frames",
    });
    expect(reader("37%")).toBeUndefined();
    expect(parsePattern("(?<percent>[\\d.]+) pct(?: (?<message>.*))?")("12.5 pct ")).toEqual({
      progress: 0.125,
    });
  });

  test("a stage as a program names it for people, and none that can be none", () => {
    const reader = parsePattern("^(?<stage>[^:]+): (?<percent>\\d+)");
    expect(reader("Frame  Extraction: 5")).toEqual({ stage: "frame_extraction", progress: 0.05 });
    expect(reader("Étape (2/3): 6")).toEqual({ progress: 0.06 });
  });

  test("no number out of its range", () => {
    expect(parsePattern("p=(?<progress>\\S+) (?<message>.*)")("p=37 warm")).toEqual({ message: "warm" });
    expect(parsePattern("p=(?<progress>\\S+)")("p=x")).toBeUndefined();
  });

  test.each([
    ["(", "It is no regular expression: "],
    ["\\d+", "Name a group: "],
    ["(?<count>\\d+)", "Name a group: "],
  ])("no %s", (text, reason) => {
    expect(() => parsePattern(text)).toThrow(reason);
  });
});
