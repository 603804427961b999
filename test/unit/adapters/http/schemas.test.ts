import { describe, expect, test } from "bun:test";
import { eventRules } from "../../../../src/domain/event-rules.ts";
import { appBench, codeOf } from "./app-bench.ts";

describe("GET /schemas", () => {
  test("EV-23: answers the JSON Schema of each event that may be published, with the stages of this gateway", async () => {
    const { ask } = appBench({}, undefined, { rules: eventRules(["demux"]) });
    for (const type of ["status_update", "result_update", "result", "error", "notice"]) {
      const answer = await ask(`/schemas/${type}.json`, { token: null });
      expect([answer.status, answer.headers.get("Content-Type")]).toEqual([200, "application/schema+json"]);
      const schema = (await answer.json()) as {
        readonly properties: Record<string, { readonly enum?: unknown }>;
      };
      expect(schema).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema", title: type });
      if (type === "status_update")
        expect(schema.properties.current_stage?.enum).toEqual([
          "queued",
          "demux",
          "completed",
          "failed",
          "cancelled",
        ]);
    }
  });

  test("EV-23: answers 404 for what nobody publishes", async () => {
    const { ask } = appBench();
    for (const file of ["heartbeat.json", "status_update", "status_update.json/", "%2e%2e"])
      expect(await codeOf(await ask(`/schemas/${file}`))).toEqual([404, "not_found"]);
  });
});
