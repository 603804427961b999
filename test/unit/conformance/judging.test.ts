import { describe, expect, test } from "bun:test";
import { type Offer, parseCases } from "../../../conformance/server/case-format.ts";
import { startConformanceServer } from "../../../conformance/server/control.ts";
import { FrameWriter } from "../../../conformance/server/frames.ts";
import { differenceOf } from "../../../conformance/server/judge.ts";
import type { Told } from "../../../conformance/server/told.ts";

const folder = new URL("../../../conformance/", import.meta.url).pathname;

function toldWith(events: readonly string[], writer: FrameWriter): Told {
  const frames = events.map((event_id) => ({ event_type: "status_update", event_id }));
  const connection = { status: "live" as const };
  const snapshot = { connection, analysis: { ...writer.folded }, stalled: false, cancel_requested: null };
  return { report: { snapshot, events: [], over: null, cancel: null }, events: frames };
}

function written(...ids: string[]): FrameWriter {
  const writer = new FrameWriter("a");
  writer.write({ analysis_state: { last_event_id: "e-1" } });
  for (const event_id of ids) writer.write({ status_update: { event_id } });
  return writer;
}

describe("the judge of a client", () => {
  test("sees an event that came twice, is missing, or is out of order", () => {
    const writer = written("e-2", "e-3");
    const judge = (...ids: string[]) =>
      differenceOf({ events: ["e-2", "e-3"] }, toldWith(ids, writer), writer.folded);
    expect(judge("e-2", "e-3")).toBeUndefined();
    for (const wrong of [["e-2", "e-2", "e-3"], ["e-3"], ["e-3", "e-2"]])
      expect(judge(...wrong)).toStartWith("the events told are");
  });

  test("sees a state that is not that of the events", () => {
    const told = toldWith(["e-2"], written("e-2"));
    expect(differenceOf({ events: ["e-2"] }, told, written("e-2", "e-3").folded)).toStartWith(
      "the analysis is",
    );
    expect(differenceOf({ analysis: { progress: 0.9 } }, told, null)).toStartWith("analysis is");
  });
});

describe("the server of cases", () => {
  test("says what a case needs, and judges a client that folds nothing by its events", async () => {
    const server = await startConformanceServer([`${folder}watching.yaml`]);
    const offers = (await (await fetch(`${server.url}/cases`)).json()) as Offer[];
    server.stop();
    const needsOf = (name: string) => offers.find((offer) => offer.case === name)?.needs;
    expect(needsOf("until-terminal-finishes")).toEqual(["until"]);
    expect(needsOf("cancel-asks-for-the-end")).toEqual(["cancel"]);
    expect(needsOf("each-event-once-and-in-order")).toEqual([]);
    const writer = written("e-2");
    const { events, report } = toldWith(["e-2"], writer);
    const { analysis: _, ...snapshot } = report.snapshot;
    const judge = (...ids: string[]) =>
      differenceOf(
        { events: ids, analysis: { status: "failed" } },
        { events, report: { ...report, snapshot } },
        null,
      );
    expect(judge("e-2")).toBeUndefined();
    expect(judge("e-3")).toStartWith("the events told are");
  });

  test("takes an empty body for the first request of a run", async () => {
    const server = await startConformanceServer([`${folder}watching.yaml`]);
    const body = JSON.stringify({ case: "until-terminal-finishes", transports: ["sse"] });
    const { run } = (await (await fetch(`${server.url}/runs`, { method: "POST", body })).json()) as {
      run: string;
    };
    const answer = await fetch(`${server.url}/runs/${run}/next`, { method: "POST" });
    expect(await answer.json()).toMatchObject({ do: "watch", until: "terminal" });
    server.stop();
  });

  test("fails a client that does nothing, and says at which step", async () => {
    const server = await startConformanceServer([`${folder}watching.yaml`]);
    const post = async (path: string, body: unknown) =>
      (await fetch(server.url + path, { method: "POST", body: JSON.stringify(body) })).json();
    const asked = { case: "each-event-once-and-in-order", transports: ["sse"], patience_seconds: 0.01 };
    const { run } = (await post("/runs", asked)) as { run: string };
    expect(await post(`/runs/${run}/next`, null)).toMatchObject({
      do: "watch",
      transports: ["sse"],
      until: null,
    });
    const connection = { status: "connecting" };
    const report = { snapshot: { connection, analysis: null, stalled: false, cancel_requested: null } };
    expect(await post(`/runs/${run}/next`, report)).toEqual({
      do: "done",
      passed: false,
      why: expect.stringMatching(/^step 1, .*: the client does not ask for the analysis$/),
    });
    server.stop();
  });

  test("answers a report that is none, and a case that is not there, with a problem", async () => {
    const server = await startConformanceServer([`${folder}watching.yaml`]);
    const post = (path: string, body: unknown) =>
      fetch(server.url + path, { method: "POST", body: JSON.stringify(body) });
    expect((await post("/runs", { case: "none", transports: [] })).status).toBe(404);
    expect((await post("/runs/1/next", null)).status).toBe(404);
    const { run } = (await (
      await post("/runs", { case: "until-terminal-finishes", transports: ["sse"] })
    ).json()) as {
      run: string;
    };
    const answer = await post(`/runs/${run}/next`, { snapshot: {} });
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: "bad_request" }]);
    server.stop();
  });

  test("refuses a file that breaks the format, by the step at fault", () => {
    const yaml = "- { case: a, rule: A rule., transports: [sse], steps: [{ accept: {} }] }";
    expect(() => parseCases(yaml)).toThrow("position");
    expect(() => parseCases(yaml.replace("accept: {}", "cut: {}, close: {}"))).toThrow("one member");
  });
});
