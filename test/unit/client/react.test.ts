import { describe, expect, test } from "bun:test";
import { Activity, createElement, type ReactNode, Suspense, use } from "react";
import { renderToString } from "react-dom/server";
import {
  TelltaleProvider,
  type UseAnalysisOptions,
  useAnalyses,
  useAnalysis,
} from "../../../clients/js/react.ts";
import type { AnalysisState, WatchSnapshot } from "../../../src/client/sdk.ts";
import { establish, providerOf, says, useReactPage } from "./react-page.ts";
import {
  ANALYSIS,
  OTHER,
  ScriptedGateway,
  sendState,
  sentBy,
  status,
  verdict,
} from "./watch/scripted-gateway.ts";

const { pageOf } = useReactPage();

const renderings: WatchSnapshot[] = [];

function Progress({ id, options }: { readonly id: string | null; readonly options?: UseAnalysisOptions }) {
  const snapshot = useAnalysis(id, options);
  renderings.push(snapshot);
  const { connection, analysis } = snapshot;
  return `${connection.status} ${analysis?.status ?? "?"} ${analysis?.message ?? ""};`;
}

function Late({ promise }: { readonly promise: Promise<string> }) {
  return createElement(Progress, { id: use(promise) });
}

function List({ ids }: { readonly ids: readonly (string | null)[] | undefined }) {
  return useAnalyses(ids).map(({ analysis, connection }) => `${analysis?.status ?? connection.status};`);
}

describe("useAnalysis()", () => {
  test("renders the state and each change, with one socket and one subscription under StrictMode", async () => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    await page.render(createElement(Progress, { id: ANALYSIS }));
    expect(page.text()).toBe("connecting ? ;");
    const socket = await establish(gateway);
    await says(() => sendState(socket, { status: "running", message: "begun", last_event_id: "e-1" }));
    expect(page.text()).toBe("live running begun;");
    await says(() => socket.serverSends(status("e-2", { message: "half" })));
    expect(page.text()).toBe("live running half;");
    await says(() => socket.serverCloses(1006));
    expect(page.text()).toBe("waiting running half;");
    expect(gateway.sockets).toHaveLength(1);
    expect(sentBy(socket)).toHaveLength(1);
  });

  test("is rendered on a server as it is first rendered on the page, which goes on from that HTML", async () => {
    const gateway = new ScriptedGateway();
    const progress = createElement(Progress, { id: ANALYSIS });
    const html = renderToString(createElement(TelltaleProvider, providerOf(gateway), progress));
    expect(html).toContain("connecting ?");
    expect(gateway.sockets).toHaveLength(0);
    expect(gateway.leftovers).toBe(0);
    const page = pageOf(gateway);
    expect(await page.hydrate(html, progress)).toEqual([]);
    const socket = await establish(gateway);
    await says(() => sendState(socket, { status: "running", message: "begun" }));
    expect(page.text()).toBe("live running begun;");
  });

  test("never shows one analysis as another, however fast its id changes", async () => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    await page.render(createElement(Progress, { id: ANALYSIS }));
    const socket = await establish(gateway);
    await says(() => sendState(socket, { status: "running", message: "of the first" }));
    renderings.length = 0;
    await page.render(createElement(Progress, { id: OTHER }));
    expect(page.text()).toBe("live ? ;");
    expect(renderings.every(({ analysis }) => analysis === null)).toBe(true);
    await page.render(createElement(Progress, { id: ANALYSIS }));
    await page.render(createElement(Progress, { id: OTHER }));
    await says(() => {
      for (const resumed of [null, null])
        socket.serverSends({ event_type: "subscribed", analysis_id: OTHER, resumed });
      socket.serverSends({
        event_type: "analysis_state",
        analysis_id: OTHER,
        status: "queued",
        stages: [],
        last_event_id: "o-1",
      });
    });
    expect(page.text()).toBe("live queued ;");
    expect(gateway.sockets).toHaveLength(1);
  });

  test.each([
    ["before the connection is there", 0],
    ["before its subscription is answered", 1],
    ["once it is live", 2],
  ])("leaves nothing behind when it is unmounted %s", async (_, stage) => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    await page.render(createElement(Progress, { id: ANALYSIS }));
    const socket = stage > 0 ? await establish(gateway) : undefined;
    if (stage > 1) await says(() => socket && sendState(socket));
    await page.unmount();
    // The answer is on its way when the page is gone.
    await says(() => socket && stage === 1 && sendState(socket));
    gateway.clock.advance(1_000);
    expect(gateway.leftovers).toBe(0);
    expect(gateway.faults).toEqual([]);
    expect(gateway.sockets.every(({ closedWith }) => closedWith === 1000)).toBe(true);
  });

  test("watches nothing without an id or a token, or if it is not enabled, and begins when that changes", async () => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    await page.render(createElement(Progress, { id: null }));
    expect(page.text()).toBe("closed ? ;");
    await page.render(createElement(Progress, { id: ANALYSIS, options: { token: "" } }));
    expect(page.text()).toBe("closed ? ;");
    await page.render(createElement(Progress, { id: ANALYSIS, options: { enabled: false } }));
    expect(page.text()).toBe("closed ? ;");
    expect(gateway.sockets).toHaveLength(0);
    await page.render(createElement(Progress, { id: ANALYSIS, options: { enabled: true } }));
    await establish(gateway);
    expect(page.text()).toBe("live ? ;");
  });

  test("throttleMs: shows the latest progress once in that time, and an end at once", async () => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    const ends: AnalysisState[] = [];
    const options = {
      throttleMs: 200,
      stopOnCompletion: true,
      onComplete: (end: AnalysisState) => ends.push(end),
    };
    await page.render(createElement(Progress, { id: ANALYSIS, options }));
    const socket = await establish(gateway);
    await says(() => sendState(socket, { status: "running", message: "begun", last_event_id: "e-1" }));
    await says(() => gateway.clock.advance(200));
    renderings.length = 0;
    await says(() => {
      for (let number = 2; number < 50; number += 1)
        socket.serverSends(status(`e-${number}`, { message: `${number}` }));
    });
    expect(page.text()).toBe("live running begun;");
    await says(() => gateway.clock.advance(200));
    expect(page.text()).toBe("live running 49;");
    await says(() => socket.serverSends(verdict("e-50")));
    expect(page.text()).toBe("finished completed 49;");
    expect(ends).toMatchObject([{ status: "completed", last_event_id: "e-50" }]);
  });

  test("keeps what it shows when throttleMs changes, and takes one that is no time for none", async () => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    const render = (throttleMs: number) =>
      page.render(createElement(Progress, { id: ANALYSIS, options: { throttleMs } }));
    await render(200);
    const socket = await establish(gateway);
    await says(() => sendState(socket, { status: "running", message: "begun", last_event_id: "e-1" }));
    renderings.length = 0;
    for (const [number, throttleMs] of [Number.NaN, -1, 0].entries()) {
      await render(throttleMs);
      await says(() => socket.serverSends(status(`e-${number + 2}`, { message: `${throttleMs}` })));
      expect(page.text()).toBe(`live running ${throttleMs};`);
    }
    expect(renderings.every(({ analysis }) => analysis !== null)).toBe(true);
    expect(sentBy(socket)).toHaveLength(1);
  });

  test("calls onComplete once for an end under StrictMode, also if it throws, and stays on the page", async () => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    const ends: string[] = [];
    const named = (name: string) =>
      createElement(Progress, {
        key: name,
        id: ANALYSIS,
        options: {
          onComplete: () => {
            ends.push(name);
            throw new Error(name);
          },
        },
      });
    await page.render(named("first"));
    const socket = await establish(gateway);
    await says(() => sendState(socket, { status: "running", last_event_id: "e-1" }));
    await says(() => socket.serverSends(verdict("e-2")));
    await says(() => socket.serverCloses(1006));
    // Another one finds the analysis ended when it subscribes.
    await page.render(named("first"), named("second"));
    expect(page.text()).toStartWith("waiting completed");
    expect(ends).toEqual(["first", "second"]);
    expect(gateway.faults.map(String)).toEqual(["Error: first", "Error: second"]);
  });

  test("does not hold a page that is suspended, and begins when that is there", async () => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    let ready = (_: string) => {};
    const promise = new Promise<string>((resolve) => {
      ready = resolve;
    });
    await page.render(createElement(Suspense, { fallback: "wait" }, createElement(Late, { promise })));
    expect(page.text()).toBe("wait");
    await says(() => ready(ANALYSIS));
    await establish(gateway);
    expect(page.text()).toBe("live ? ;");
  });

  test("stays subscribed while what is around it is suspended again", async () => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    const { promise, resolve } = Promise.withResolvers<string>();
    const around = (...more: ReactNode[]) =>
      createElement(
        Suspense,
        { fallback: "wait" },
        createElement(Progress, { key: "first", id: ANALYSIS }),
        ...more,
      );
    await page.render(around());
    const socket = await establish(gateway);
    await says(() => sendState(socket, { status: "running", last_event_id: "e-1" }));
    await page.render(around(createElement(Late, { key: "late", promise })));
    expect(page.text()).toBe("wait");
    await says(() => socket.serverSends(status("e-2", { message: "meanwhile" })));
    await says(() => resolve(OTHER));
    expect(page.text()).toBe("live running meanwhile;live ? ;");
    expect(sentBy(socket).map(({ analysis_id }) => analysis_id)).toEqual([ANALYSIS, OTHER]);
  });

  test("watches nothing while it is hidden in an Activity, and shows the whole state when it is seen again", async () => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    const render = (mode: "visible" | "hidden") =>
      page.render(createElement(Activity, { mode, children: createElement(Progress, { id: ANALYSIS }) }));
    await render("visible");
    const first = await establish(gateway);
    await says(() => sendState(first, { status: "running", message: "begun" }));
    await render("hidden");
    await says(() => gateway.clock.advance(1_000));
    expect(first.closedWith).toBe(1000);
    expect(gateway.leftovers).toBe(0);
    await render("visible");
    const second = await establish(gateway, 2);
    await says(() => sendState(second, { status: "completed", message: "done" }));
    expect(page.text()).toBe("live completed done;");
  });

  test("says what is missing if nobody named the gateway", () => {
    expect(() => renderToString(createElement(Progress, { id: ANALYSIS }))).toThrow("TelltaleProvider");
  });
});

describe("useAnalyses()", () => {
  test("gives one snapshot for each id, in their order, and keeps those that stay in the list", async () => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    await page.render(createElement(List, { ids: [ANALYSIS, OTHER] }));
    const socket = await establish(gateway);
    await says(() => {
      sendState(socket, { status: "running" });
      socket.serverSends({ event_type: "subscribed", analysis_id: OTHER, resumed: null });
      socket.serverSends({
        event_type: "analysis_state",
        analysis_id: OTHER,
        status: "queued",
        stages: [],
        last_event_id: "o-1",
      });
    });
    expect(page.text()).toBe("running;queued;");
    await page.render(createElement(List, { ids: [OTHER, ANALYSIS, OTHER] }));
    expect(page.text()).toBe("queued;running;queued;");
    await page.render(createElement(List, { ids: [OTHER] }));
    expect(page.text()).toBe("queued;");
    expect(sentBy(socket).map(({ type }) => type)).toEqual(["subscribe", "subscribe", "unsubscribe"]);
  });

  test("has an id that is none refused by the gateway, whatever is in it, and gives an empty one no watch", async () => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    const wrong = `${ANALYSIS} ${OTHER}`;
    await page.render(createElement(List, { ids: [ANALYSIS, wrong, "", null, wrong] }));
    expect(page.text()).toBe("connecting;connecting;closed;closed;connecting;");
    const socket = await establish(gateway);
    expect(sentBy(socket).map(({ analysis_id }) => analysis_id)).toEqual([ANALYSIS, wrong]);
    const refusal = { analysis_id: wrong, code: "not_an_analysis_id", message: "" };
    await says(() => {
      sendState(socket, { status: "running" });
      socket.serverSends({ event_type: "subscription_refused", ...refusal });
    });
    expect(page.text()).toBe("running;refused;closed;closed;refused;");
    await page.render(createElement(List, { ids: [] }));
    expect(page.text()).toBe("");
    await page.render(createElement(List, { ids: undefined }));
    expect(page.text()).toBe("");
  });
});
