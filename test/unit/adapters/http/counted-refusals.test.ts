import { describe, expect, test } from "bun:test";
import { statusUpdate } from "../../../support/publishing.ts";
import { appBench } from "./app-bench.ts";

describe("the metrics of answers over HTTP", () => {
  const refusals = ({ telemetry }: ReturnType<typeof appBench>) =>
    Object.fromEntries(
      telemetry.series("telltale_refused_total").map(({ labels, value }) => [labels.reason, value]),
    );

  test("MET-3: a problem counts once, by its code, also of a stream and of a read that waits", async () => {
    const bench = appBench({}, undefined, { watchDefault: "deny" });
    const { ask, publish, eventsPath } = bench;
    await publish("{");
    await publish(statusUpdate(), { token: null });
    await ask("/nowhere");
    await ask(eventsPath, { headers: { Accept: "text/event-stream" } });
    await ask(`${eventsPath}?wait=1`);
    await publish(statusUpdate());
    expect(refusals(bench)).toEqual({ not_json: 1, unauthenticated: 1, not_found: 1, not_declared: 2 });
  });

  test("LOG-3: the line of a refusal has the analysis, and nothing else of the path", async () => {
    const { ask, analysisId, telemetry } = appBench();
    await ask(`/v1/analyses/${analysisId}`, { token: null });
    await ask("/v1/analyses/S3CRET?token=S3CRET");
    const lines = telemetry.logs.filter(({ message }) => message === "refused");
    expect(lines.map(({ level, fields }) => [level, fields])).toEqual([
      [
        "debug",
        { reason: "unauthenticated", token: "missing", method: "GET", status: 401, analysis: analysisId },
      ],
      ["debug", { reason: "not_an_analysis_id", method: "GET", status: 400, analysis: undefined }],
    ]);
  });
});
