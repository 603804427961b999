import { describe, expect, test } from "bun:test";
import { openMemoryBroker } from "../../../src/adapters/memory/memory-broker.ts";
import {
  type BrokerPorts,
  capabilitiesOf,
  missingCapabilities,
} from "../../../src/application/ports/broker-ports.ts";
import type { Durability } from "../../../src/application/ports/pub-sub-port.ts";
import { CollectingTelemetry } from "../../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";

const memory = openMemoryBroker({
  clock: new ManualClock(),
  telemetry: new CollectingTelemetry(),
  history: { size: 10, ttlMs: 1_000 },
});

/** The bundle with another durability, and with an inbox that takes the messages of worker channels or not. */
function bundle(durability: Durability, { takesWorkerChannels = false } = {}): BrokerPorts {
  const { inbox, deadLetters } = memory;
  const events = Object.create(memory.events, { durability: { value: durability } });
  return {
    events,
    deadLetters,
    inbox: Object.create(inbox, { takesWorkerChannels: { value: takesWorkerChannels } }),
  };
}

describe("capabilitiesOf()", () => {
  test("OPS-14: names the ways for messages that the broker has, and how long it keeps them", () => {
    expect(capabilitiesOf(memory)).toEqual([
      "dead_letters",
      "inbox",
      "worker_channels",
      "durability:process",
      "replicas:0",
    ]);
  });

  test("OPS-14: counts worker channels as there if the inbox takes their messages, and says that they are kept", () => {
    const kept = bundle({ keptIn: "disk", replicas: 2 }, { takesWorkerChannels: true });
    expect(capabilitiesOf(kept)).toEqual([
      "dead_letters",
      "inbox",
      "worker_channels",
      "worker_channels_kept",
      "durability:disk",
      "replicas:2",
    ]);
    expect(missingCapabilities(kept)).toEqual([]);
  });

  test("OPS-14: says nothing of what nobody knows yet", () => {
    const unknown = bundle({ keptIn: undefined, replicas: undefined });
    expect(capabilitiesOf(unknown)).toEqual(["dead_letters", "inbox"]);
    expect(missingCapabilities(unknown)).toEqual(["worker_channels"]);
  });
});
