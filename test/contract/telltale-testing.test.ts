import { describe, expect, test } from "bun:test";

describe("telltale/testing", () => {
  test("exports each suite and each adapter that collects", async () => {
    expect(Object.keys(await import("telltale/testing")).sort()).toEqual([
      "CollectingSubscriber",
      "CollectingTelemetry",
      "ManualClock",
      "RecordingConnection",
      "brokerContract",
      "bundleContract",
      "deadLetterContract",
      "inboxContract",
      "pubSubContract",
      "tokenVerifierContract",
      "workerChannelContract",
    ]);
  });
});
