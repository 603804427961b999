import "./page-world.ts";
import { type AnalysisWatch, watch } from "../../../src/client/sdk.ts";
import { tabs } from "../../../src/client/tabs/tabs.ts";
import { seeded } from "../seeded.ts";
import { followByElement } from "./follow-by-element.ts";
import { followByReact } from "./follow-by-react.ts";
import { locks, openSockets, world } from "./page-world.ts";
import { newRecord, noteSnapshot, type WatchRecord } from "./watch-record.ts";

/** A page of the fault rounds: it watches, writes down everything that it is told, and counts what is left behind. */
const record: Record<string, WatchRecord> = {};
const closers: Record<string, () => void> = {};
let options: PageOptions;

async function token(): Promise<string> {
  const response = await fetch(options.tokenUrl);
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return ((await response.json()) as { token: string }).token;
}

function watchOne(analysisId: string, until?: "terminal"): AnalysisWatch {
  const share = options.through === "tabs" ? tabs : undefined;
  return watch({ url: options.url, analysisId, token, until, share });
}

const page: WatchedPage = {
  begin(given) {
    options = given;
    const random = seeded(given.seed);
    world.random = () => random() * given.pauses;
    world.isStorageFull = given.isStorageFull;
    const follow = {
      tabs: followByWatch,
      watch: followByWatch,
      element: followByElement,
      react: followByReact,
    };
    for (const analysis of given.analyses) {
      const { kept, close } = follow[given.through]({ ...given, ...analysis, watchOne, token });
      record[analysis.id] = kept;
      closers[analysis.id] = close;
    }
  },
  report: async () => ({
    watches: record,
    timers: world.timers.size,
    listeners: world.listening.count,
    sockets: openSockets(),
    locks: await locks(),
  }),
  closeWatch: (id) => closers[id]?.(),
  async cancel(id) {
    // The page was loaded, and has not begun yet.
    if (record[id] === undefined) return "not watched";
    const asking = watchOne(id);
    try {
      await asking.cancel("enough");
      return "taken";
    } catch (error) {
      return (error as { code: string }).code;
    } finally {
      asking.close();
    }
  },
  watchAgain(id, ms) {
    const another = watchOne(id);
    const stop = another.subscribe(() => {});
    setTimeout(() => {
      stop();
      another.close();
    }, ms);
  },
  stepClock(ms) {
    world.clockOffset += ms;
  },
};
Object.assign(globalThis, { page });

function followByWatch({ id, untilTerminal, watchOne }: FollowOptions): Followed {
  const own = watchOne(id, untilTerminal ? "terminal" : undefined);
  const kept = newRecord(own.getSnapshot(), true);
  own.subscribe(() => noteSnapshot(kept, own.getSnapshot()));
  void (async () => {
    try {
      for await (const event of own) {
        if (event.event_type === "analysis_state") kept.begins.push(event.last_event_id);
        else if ("event_id" in event) kept.ids?.push(event.event_id);
      }
      kept.ended = "done";
    } catch (error) {
      kept.ended = String(error);
    }
  })();
  return { kept, close: own.close };
}

export interface PageOptions {
  readonly seed: number;
  readonly url: string;
  readonly tokenUrl: string;
  readonly pauses: number;
  readonly through: "watch" | "tabs" | "element" | "react";
  readonly isStorageFull: boolean;
  readonly analyses: readonly { readonly id: string; readonly untilTerminal: boolean }[];
}

/** How the page is to follow one analysis. */
export interface FollowOptions {
  readonly id: string;
  readonly untilTerminal: boolean;
  readonly url: string;
  readonly tokenUrl: string;
  token(): Promise<string>;
  watchOne(analysisId: string, until?: "terminal"): AnalysisWatch;
}

export interface Followed {
  readonly kept: WatchRecord;
  readonly close: () => void;
}

export interface PageReport {
  readonly watches: Readonly<Record<string, WatchRecord>>;
  readonly timers: number;
  /** Listeners for the page's own events. */
  readonly listeners: number;
  readonly sockets: number;
  /** Those of all tabs of the browser context together. */
  readonly locks: number;
}

/** As the test drives it. */
export interface WatchedPage {
  begin(options: PageOptions): void;
  report(): Promise<PageReport>;
  closeWatch(id: string): void;
  /** `taken`, `not watched`, or the code of the refusal. */
  cancel(id: string): Promise<string>;
  /** Watches one of them once more, for so long. */
  watchAgain(id: string, ms: number): void;
  stepClock(ms: number): void;
}
