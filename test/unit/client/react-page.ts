import { afterAll, afterEach, beforeAll } from "bun:test";
import { Window } from "happy-dom";
import { act, createElement, type ReactNode, StrictMode } from "react";
import type { Root } from "react-dom/client";
import { TelltaleProvider } from "../../../clients/js/react.ts";
import type { FakeSocket } from "./fake-socket.ts";
import { type ScriptedGateway, settled } from "./watch/scripted-gateway.ts";

/** As much of a page as React needs, for the tests of one file alone. */
const PAGE = ["window", "document", "IS_REACT_ACT_ENVIRONMENT"] as const;

export interface ReactPage {
  /** Under StrictMode, below a provider, as often as the test likes. */
  render(...children: ReactNode[]): Promise<void>;
  unmount(): Promise<void>;
  text(): string | null;
  /** Renders on top of the HTML that a server made of the same children; answers the complaints of React. */
  hydrate(html: string, ...children: ReactNode[]): Promise<unknown[]>;
}

export function useReactPage(): { pageOf(gateway: ScriptedGateway): ReactPage } {
  const before = PAGE.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
  let client: typeof import("react-dom/client");
  let root: Root | undefined;

  beforeAll(async () => {
    const window = new Window();
    const values = { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true };
    for (const name of PAGE)
      Object.defineProperty(globalThis, name, { value: values[name], configurable: true, writable: true });
    client = await import("react-dom/client");
  });
  const unmount = async () => {
    await says(() => root?.unmount());
    root = undefined;
  };
  afterEach(unmount);
  afterAll(() => {
    PAGE.forEach((name, index) => {
      const descriptor = before[index];
      if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, descriptor);
    });
  });

  return {
    pageOf(gateway) {
      const container = document.createElement("div");
      const whole = (...children: ReactNode[]) =>
        createElement(StrictMode, null, createElement(TelltaleProvider, providerOf(gateway), ...children));
      return {
        render: (...children) =>
          says(() => {
            root ??= client.createRoot(container);
            root.render(whole(...children));
          }),
        unmount,
        text: () => container.textContent,
        async hydrate(html, ...children) {
          const complaints: unknown[] = [];
          const onRecoverableError = (error: unknown) => void complaints.push(error);
          container.innerHTML = html;
          await says(() => {
            root = client.hydrateRoot(container, whole(...children), { onRecoverableError });
          });
          return complaints;
        },
      };
    },
  };
}

export function providerOf({ environment }: ScriptedGateway) {
  return { url: "https://gateway.example", token: async () => "a.b.c", environment };
}

/** Does it, and waits until all that comes of it is rendered. */
export async function says(deed: () => void): Promise<void> {
  await act(async () => {
    deed();
    await settled();
  });
}

export async function establish(gateway: ScriptedGateway, number = 1): Promise<FakeSocket> {
  const socket = await gateway.socket(number);
  await says(() => socket.establish());
  return socket;
}
