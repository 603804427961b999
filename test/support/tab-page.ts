import "../../clients/js/element.ts";
import { type AnalysisWatch, watch } from "../../src/client/sdk.ts";
import { tabs } from "../../src/client/tabs/tabs.ts";
import { runtime } from "../../src/client/watch/environment.ts";

/** A page that watches with all other tabs, and writes down the events that it is told. Its pauses are a quarter as long. */
const SPEED = 4;
const began = Date.now();
const environment = {
  ...runtime,
  now: () => began + (Date.now() - began) * SPEED,
  after: (milliseconds: number, task: () => void) => runtime.after(milliseconds / SPEED, task),
};
const token = async () => (await fetch("/token")).text();

export interface TabPage {
  watch(url: string, analysisId: string): void;
  /** Shows it by the element. */
  show(url: string, analysisId: string): void;
  report(analysisId: string): TabReport;
}

export interface TabReport {
  readonly status: string;
  readonly transport: string | undefined;
  readonly progress: number | null | undefined;
  /** The ids of the events, and `state` for each state. */
  readonly told: readonly string[];
}

const watches = new Map<string, { readonly watching: AnalysisWatch; readonly told: string[] }>();
const page: TabPage = {
  watch(url, analysisId) {
    const watching = watch({ url, analysisId, token, share: tabs, environment });
    const told: string[] = [];
    watches.set(analysisId, { watching, told });
    void (async () => {
      for await (const event of watching) {
        if (event.event_type === "analysis_state") told.push("state");
        else if ("event_id" in event) told.push(event.event_id);
      }
    })();
  },
  show(url, analysisId) {
    const element = document.createElement("telltale-progress");
    element.setAttribute("src", url);
    element.setAttribute("analysis-id", analysisId);
    Object.assign(element, { token, share: tabs });
    document.body.append(element);
  },
  report(analysisId) {
    const { watching, told } = watches.get(analysisId) as NonNullable<ReturnType<typeof watches.get>>;
    const { connection, analysis } = watching.getSnapshot();
    const transport = connection.status === "live" ? connection.transport : undefined;
    return { status: connection.status, transport, progress: analysis?.progress, told };
  },
};
Object.assign(globalThis, { page });
