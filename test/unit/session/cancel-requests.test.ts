import { describe, expect, test } from "bun:test";
import type { CancelRequest } from "../../../src/domain/cancel-request.ts";
import { fault, status } from "../../../src/testing/encoded-events.ts";
import { turn } from "../../support/turn.ts";
import { sessionBench } from "./session-bench.ts";

const REQUEST: CancelRequest = { requested_at: "2026-11-28T10:00:00.000Z", user_id: "bob", reason: "enough" };

function opened() {
  const bench = sessionBench();
  const { elsewhere, channel, analysisId } = bench;
  const cancel = async (request: CancelRequest = REQUEST) => {
    await elsewhere.requestCancel?.(channel, request);
    await turn();
  };
  const frame = { event_type: "cancel_requested", analysis_id: analysisId, ...REQUEST };
  return { ...bench, cancel, frame };
}

describe("a request to cancel", () => {
  test("CAN-4: is told once to every watcher, on /ws as well, without an event_id", async () => {
    const { watch, open, publish, cancel, analysisId, frame } = opened();
    await publish();
    const { wire } = await watch();
    const many = await open();
    many.say({ type: "subscribe", analysis_id: analysisId });
    await turn();
    await cancel();
    await cancel({ ...REQUEST, requested_at: "2026-11-28T11:00:00.000Z" });
    await publish();
    for (const { messages, types } of [wire, many.wire]) {
      expect(types.filter((type) => type === "cancel_requested")).toHaveLength(1);
      expect(messages.at(-2) as object).toEqual(frame);
    }
  });

  test.each(["latest", "all", "none"] as const)(
    "CAN-4: is told after the replay to a client that joins later, with replay %s",
    async (mode) => {
      const { watch, publish, cancel } = opened();
      await publish(status(), status());
      await cancel();
      const { wire } = await watch("alice", { replay: { mode, after: undefined } });
      const statuses = { latest: 1, all: 2, none: 0 }[mode];
      expect(wire.types).toEqual([
        "connection_established",
        ...Array.from({ length: statuses }, () => "status_update"),
        "cancel_requested",
      ]);
    },
  );

  test("CAN-4: that is over is told to nobody, and a later one is told again", async () => {
    const { watch, publish, cancel } = opened();
    const { wire } = await watch();
    await cancel();
    await publish(status({ attemptId: "one" }), fault());
    const later = await watch("carol");
    expect(later.wire.types).not.toContain("cancel_requested");
    await publish(status());
    await cancel({ ...REQUEST, reason: "again" });
    expect(wire.messages.filter(({ event_type }) => event_type === "cancel_requested")).toHaveLength(2);
    expect(wire.messages.at(-1) as object).toMatchObject({ reason: "again" });
  });

  test("CAN-4: whose message was lost is told when the link is whole again", async () => {
    const { watch, publish, cancel, pubSub, settle } = opened();
    await publish();
    const { wire } = await watch();
    pubSub.breakLink();
    await cancel();
    expect(wire.types).not.toContain("cancel_requested");
    pubSub.restoreLink();
    await settle();
    expect(wire.types.at(-1)).toBe("cancel_requested");
  });

  test("CAN-4: waits behind the events for a client that does not keep up", async () => {
    const { watch, publish, cancel } = opened();
    const { wire, session } = await watch("alice", { conflates: false });
    wire.takeOnly(1);
    await publish(status(), status(), status());
    await cancel();
    expect(wire.types).not.toContain("cancel_requested");
    wire.takeOnly(100);
    session.drained();
    await turn();
    expect(wire.types.slice(-4)).toEqual([
      "status_update",
      "status_update",
      "status_update",
      "cancel_requested",
    ]);
  });
});
