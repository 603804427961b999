import { afterAll, expect, mock, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openApi } from "../../../../src/adapters/http/description/openapi.ts";
import { EVENT_RULES } from "../../../../src/domain/event-rules.ts";
import { errorEvent, resultUpdate, statusUpdate } from "../../../support/publishing.ts";
import { appBench } from "./app-bench.ts";

const COMPILER = new URL("../../../../node_modules/.bin/tsc", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "telltale-generated-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A program that is written against the types which openapi-typescript makes of the document. */
const program = (delivered: unknown, state: unknown, page: unknown) => `
import type { components, paths } from "./gateway";
type Schemas = components["schemas"];
type Events = paths["/v1/analyses/{id}/events"];
type Body = NonNullable<Events["post"]["requestBody"]>["content"]["application/json"];

export const delivered: (Schemas["StatusUpdate"] | Schemas["ResultUpdate"] | Schemas["Result"] | Schemas["Error"])[] = ${JSON.stringify(delivered)};
export const state: paths["/v1/analyses/{id}"]["get"]["responses"]["200"]["content"]["application/json"] = ${JSON.stringify(state)};
export const page: Events["get"]["responses"]["200"]["content"]["application/json"] = ${JSON.stringify(page)};
export const one: Body = { event_type: "status_update", task_id: "t", progress: 0.5, current_stage: "uploading", message: "m" };
export const many: Body = [one as Schemas["PublishedStatusUpdate"], { event_type: "error", error_code: "c", error_message: "m" }];
export const query: Events["get"]["parameters"]["query"] = { replay: "state", markers: "1", wait: 25 };
export const wish: Schemas["CancelWish"] = { reason: null };
// @ts-expect-error progress is a number
export const wrong: Schemas["PublishedStatusUpdate"] = { event_type: "status_update", task_id: "t", progress: "half", current_stage: "uploading", message: "m" };
// @ts-expect-error no replay has this name
export const unknown: Events["get"]["parameters"]["query"] = { replay: "everything" };
`;

test("API-6: a client that openapi-typescript generates compiles, and takes the events that the gateway delivers", async () => {
  // The generator needs the programming interface of TypeScript 5, which later compilers do not have.
  const compiler = await import("typescript-5");
  mock.module("typescript", () => ({ ...compiler, default: compiler }));
  const { default: generate, astToString } = await import("openapi-typescript");
  const { publish, ask, analysisId, eventsPath } = appBench();
  const events = [
    statusUpdate({ current_stage: "queued" }),
    statusUpdate({ current: 1, total: 2, unit: "frames", of_our_own: [1] }),
    resultUpdate(),
    statusUpdate({ current_stage: "completed" }),
    statusUpdate(),
    { event_type: "result", data: { words: 3 } },
    statusUpdate(),
    errorEvent(),
  ];
  for (const event of events) expect((await publish(event)).status).toBe(202);
  const page = (await (await ask(eventsPath)).json()) as { events: unknown[] };
  const state = await (await ask(`/v1/analyses/${analysisId}`)).json();
  expect(page.events).toHaveLength(events.length);
  writeFileSync(
    join(folder, "gateway.d.ts"),
    astToString(
      await generate(JSON.parse(JSON.stringify(openApi(EVENT_RULES, "1"))), { defaultNonNullable: false }),
    ),
  );
  writeFileSync(join(folder, "program.ts"), program(page.events, state, page));
  const { exitCode, stdout } = Bun.spawnSync(
    [COMPILER, "--noEmit", "--strict", "--target", "esnext", "--ignoreConfig", "program.ts"],
    { cwd: folder },
  );
  expect([stdout.toString(), exitCode]).toEqual(["", 0]);
});
