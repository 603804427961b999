import { describe, expect, test } from "bun:test";
import { CLOSE_CODES } from "../../../src/domain/close-code.ts";
import type { CollectingTelemetry } from "../../../src/testing/collecting-telemetry.ts";
import { turn } from "../../support/turn.ts";
import { sessionBench } from "./session-bench.ts";

/** The counts of a metric, by the value of its one label. */
function counted(
  telemetry: CollectingTelemetry,
  name: "telltale_connections_closed_total" | "telltale_refused_total" | "telltale_resumes_total",
): Record<string, number> {
  return Object.fromEntries(
    telemetry.series(name).map(({ labels, value }) => [Object.values(labels)[0], value]),
  );
}

describe("the metrics of connections", () => {
  test("MET-3: a connection counts while it is open, and its end counts once, by the first code", async () => {
    const { watch, connections, telemetry } = sessionBench();
    const [one, other] = [await watch("alice"), await watch("bob")];
    expect(connections.byTransport).toEqual({ websocket: 2, sse: 0, wait: 0 });
    one.session.close(CLOSE_CODES.goingAway, "drain");
    one.session.tooSlow();
    one.hangUp();
    one.hangUp();
    other.hangUp();
    expect(connections.byTransport).toEqual({ websocket: 0, sse: 0, wait: 0 });
    expect(counted(telemetry, "telltale_connections_closed_total")).toEqual({ "1001": 1, none: 1 });
    expect(counted(telemetry, "telltale_refused_total")).toEqual({});
  });

  test("MET-3: a refused WebSocket counts once among the refusals and once among the closes", async () => {
    const { upgrade, watch, telemetry } = sessionBench({ maxPerUser: 1 });
    const unknown = upgrade("nobody knows it");
    const foreign = await watch("carol", { originAllowed: false });
    await watch("alice");
    const second = await watch("alice");
    await turn();
    for (const { hangUp } of [unknown, foreign, second]) hangUp();
    expect(counted(telemetry, "telltale_refused_total")).toEqual({
      unauthenticated: 1,
      origin_not_allowed: 1,
      too_many_connections: 1,
    });
    expect(counted(telemetry, "telltale_connections_closed_total")).toEqual({
      "4001": 1,
      "4003": 1,
      "4029": 1,
    });
  });

  test("MET-3: a watch with a position counts as resumed, or as gone", async () => {
    const { watch, publish, telemetry } = sessionBench({ size: 1 });
    const first = await publish();
    await watch("alice", { replay: { mode: "latest", after: first } });
    await watch("bob", { replay: { mode: "latest", after: { epoch: "another", offset: 1 } } });
    await watch("carol");
    expect(counted(telemetry, "telltale_resumes_total")).toEqual({ resumed: 1, gone: 1 });
  });
});
