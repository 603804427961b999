import { describe, expect, test } from "bun:test";
import { Refusals } from "../../../src/application/refusals.ts";
import { CollectingTelemetry } from "../../../src/testing/collecting-telemetry.ts";

describe("Refusals", () => {
  test("LOG-3: counts each refusal, writes it at debug, and tells all of them by reason at info", () => {
    const telemetry = new CollectingTelemetry();
    const refusals = new Refusals(telemetry);
    refusals.note("not_allowed", { connection: "c1" });
    for (let n = 0; n < 3; n++) refusals.note("unauthenticated", { connection: "c2" });
    expect(telemetry.logs.map(({ level }) => level)).toEqual(Array(4).fill("debug"));
    refusals.tell();
    refusals.tell();
    const infos = telemetry.logs.filter(({ level }) => level === "info");
    expect(infos.map(({ fields }) => fields)).toEqual([{ unauthenticated: 3, not_allowed: 1 }]);
    refusals.note("not_allowed", {});
    refusals.tell();
    expect(telemetry.logs.at(-1)?.fields).toEqual({ not_allowed: 1 });
    expect(telemetry.series("telltale_refused_total")).toMatchObject([
      { labels: { reason: "not_allowed" }, value: 2 },
      { labels: { reason: "unauthenticated" }, value: 3 },
    ]);
  });

  test("LOG-3: counts beside the reason the check that a token failed, and not in the metric", () => {
    const telemetry = new CollectingTelemetry();
    const refusals = new Refusals(telemetry);
    for (let n = 0; n < 2; n++) refusals.note("unauthenticated", { connection: "c1" }, "wrong_audience");
    refusals.note("unauthenticated", { connection: "c1" }, "expired");
    expect(telemetry.logs[0]?.fields).toEqual({
      reason: "unauthenticated",
      token: "wrong_audience",
      connection: "c1",
    });
    refusals.tell();
    expect(telemetry.logs.at(-1)?.fields).toEqual({
      unauthenticated: 3,
      token_wrong_audience: 2,
      token_expired: 1,
    });
    expect(telemetry.series("telltale_refused_total")).toMatchObject([
      { labels: { reason: "unauthenticated" }, value: 3 },
    ]);
  });
});
