import "../../clients/js/element.ts";
import { type AnalysisWatch, watch } from "../../src/client/sdk.ts";
import { tabs } from "../../src/client/tabs/tabs.ts";
import { runtime } from "../../src/client/watch/environment.ts";

/** A page that watches with all other tabs, and writes down the events that it is told. Its address has the options of `tab-site`. */
const query = new URLSearchParams(location.search);
let speed = Number(query.get("speed") ?? 4);
let throttleMs = 0;
let began = Date.now();
let beganAt = began;
const now = () => beganAt + (Date.now() - began) * speed;
const environment = {
  ...runtime,
  now,
  after(milliseconds: number, task: () => void) {
    const early = throttleMs && (now() + milliseconds) % throttleMs;
    return runtime.after((milliseconds + (early && throttleMs - early)) / speed, task);
  },
};
const token = async () => (await fetch(`/token?${query}`)).text();

export interface TabPage {
  watch(url: string, analysisId: string): void;
  /** Shows it by the element. */
  show(url: string, analysisId: string): void;
  report(analysisId: string): TabReport;
  /** From here on timers fire at the end of a minute alone, as those of a page that has been hidden for long; a minute takes two seconds. */
  hide(): void;
  /** The user from the next token on. */
  become(user: string): void;
}

export interface TabReport {
  readonly status: string;
  /** The code of the last connection while there is none. */
  readonly code: number | undefined;
  readonly transport: string | undefined;
  readonly progress: number | null | undefined;
  /** The ids of the events, and `state` for each state. */
  readonly told: readonly string[];
  /** All states of the connection so far, one after the other, with the codes of their ends. */
  readonly past: readonly string[];
}

interface Watched {
  readonly watching: AnalysisWatch;
  readonly told: string[];
  readonly past: string[];
}

const watches = new Map<string, Watched>();
const page: TabPage = {
  watch(url, analysisId) {
    const watching = watch({ url, analysisId, token, share: tabs, environment });
    const told: string[] = [];
    const past: string[] = [];
    watches.set(analysisId, { watching, told, past });
    watching.subscribe(() => {
      const { connection } = watching.getSnapshot();
      const state = "code" in connection ? `${connection.status} ${connection.code}` : connection.status;
      if (state !== past.at(-1)) past.push(state);
    });
    void (async () => {
      for await (const event of watching) {
        if (event.event_type === "analysis_state") told.push("state");
        else if ("event_id" in event) told.push(event.event_id);
      }
    })().catch(() => {});
  },
  show(url, analysisId) {
    const element = document.createElement("telltale-progress");
    element.setAttribute("src", url);
    element.setAttribute("analysis-id", analysisId);
    Object.assign(element, { token, share: tabs });
    document.body.append(element);
  },
  report(analysisId) {
    const { watching, told, past } = watches.get(analysisId) as Watched;
    const { connection, analysis } = watching.getSnapshot();
    const transport = connection.status === "live" ? connection.transport : undefined;
    const code = "code" in connection ? connection.code : undefined;
    return { status: connection.status, code, transport, progress: analysis?.progress, told, past };
  },
  hide() {
    beganAt = now();
    began = Date.now();
    speed = 30;
    throttleMs = 60_000;
  },
  become: (user) => query.set("user", user),
};
Object.assign(globalThis, { page });
