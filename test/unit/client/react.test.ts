import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Window } from "happy-dom";
import { act, createElement, type ReactNode, StrictMode, Suspense, use } from "react";
import type { Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import {
  TelltaleProvider,
  type UseAnalysisOptions,
  useAnalyses,
  useAnalysis,
} from "../../../clients/js/react.ts";
import type { AnalysisState, WatchSnapshot } from "../../../src/client/sdk.ts";
import type { FakeSocket } from "./fake-socket.ts";
import {
  ANALYSIS,
  OTHER,
  ScriptedGateway,
  sendState,
  sentBy,
  settled,
  status,
  verdict,
} from "./watch/scripted-gateway.ts";

/** As much of a page as React needs, for these tests alone. */
const PAGE = ["window", "document", "IS_REACT_ACT_ENVIRONMENT"] as const;
const before = PAGE.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
let createRoot: typeof import("react-dom/client").createRoot;
let root: Root | undefined;

beforeAll(async () => {
  const window = new Window();
  const values = { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true };
  for (const name of PAGE)
    Object.defineProperty(globalThis, name, { value: values[name], configurable: true, writable: true });
  ({ createRoot } = await import("react-dom/client"));
});
afterEach(async () => {
  await act(async () => root?.unmount());
  root = undefined;
});
afterAll(() => {
  PAGE.forEach((name, index) => {
    const descriptor = before[index];
    if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, descriptor);
  });
});

const URL = "https://gateway.example";

/** A page below a provider, which the test renders as often as it likes. */
function pageOf(gateway: ScriptedGateway) {
  const container = document.createElement("div");
  root = createRoot(container);
  const render = async (...children: ReactNode[]) => {
    const token = async () => "a.b.c";
    const provider = createElement(
      TelltaleProvider,
      { url: URL, token, environment: gateway.environment },
      ...children,
    );
    await act(async () => {
      root?.render(createElement(StrictMode, null, provider));
      await settled();
    });
  };
  return { render, text: () => container.textContent };
}

async function says(deed: () => void): Promise<void> {
  await act(async () => {
    deed();
    await settled();
  });
}

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

function List({ ids }: { readonly ids: readonly string[] }) {
  return useAnalyses(ids).map(({ analysis }) => `${analysis?.status ?? "?"};`);
}

async function establish(gateway: ScriptedGateway, number = 1): Promise<FakeSocket> {
  const socket = await gateway.socket(number);
  await says(() => socket.establish());
  return socket;
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

  test("is rendered on a server as it is first rendered on the page, and opens nothing there", () => {
    const gateway = new ScriptedGateway();
    const props = { url: URL, token: "a.b.c", environment: gateway.environment };
    const page = createElement(TelltaleProvider, props, createElement(Progress, { id: ANALYSIS }));
    expect(renderToString(page)).toContain("connecting ?");
    expect(gateway.sockets).toHaveLength(0);
    expect(gateway.leftovers).toBe(0);
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

  test("leaves nothing behind when it is unmounted, also before the connection is there", async () => {
    for (const early of [true, false]) {
      const gateway = new ScriptedGateway();
      const page = pageOf(gateway);
      await page.render(createElement(Progress, { id: ANALYSIS }));
      if (!early) {
        const socket = await establish(gateway);
        await says(() => sendState(socket));
      }
      await says(() => root?.unmount());
      gateway.clock.advance(1_000);
      expect(gateway.leftovers).toBe(0);
      expect(gateway.sockets.every(({ closedWith }) => closedWith === 1000)).toBe(true);
    }
  });

  test("watches nothing without an id, or if it is not enabled, and begins when that changes", async () => {
    const gateway = new ScriptedGateway();
    const page = pageOf(gateway);
    await page.render(createElement(Progress, { id: null }));
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
});
