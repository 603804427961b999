import { type AnalysisWatch, watch } from "../../../src/client/sdk.ts";
import { runtime } from "../../../src/client/watch/environment.ts";
import { seeded } from "../seeded.ts";

/** A page of the fault rounds: it watches, writes down everything that it is told, and counts what is left behind. */
const timers = countTimers();
const listening = countListeners();
const sockets = noteSockets();
const record: Record<string, WatchRecord> = {};
const watches: Record<string, AnalysisWatch> = {};
let options: PageOptions;
let environment = runtime;

async function token(): Promise<string> {
  const response = await fetch(options.tokenUrl);
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return ((await response.json()) as { token: string }).token;
}

function watchOne(analysisId: string, until?: "terminal"): AnalysisWatch {
  return watch({ url: options.url, analysisId, token, until, environment });
}

const page: WatchedPage = {
  begin(given) {
    options = given;
    const random = seeded(given.seed);
    environment = { ...runtime, random: () => random() * given.pauses };
    for (const { id, untilTerminal } of given.analyses) follow(id, untilTerminal);
  },
  report: () => ({
    watches: record,
    timers: timers.size,
    listeners: listening.count,
    sockets: openSockets(),
  }),
  closeWatch: (id) => watches[id]?.close(),
  async cancel(id) {
    const asked = watches[id];
    // The page was loaded, and has not begun yet.
    if (asked === undefined) return "not watched";
    try {
      await asked.cancel("enough");
      return "taken";
    } catch (error) {
      return (error as { code: string }).code;
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
};
Object.assign(globalThis, { page });

function follow(id: string, untilTerminal: boolean): void {
  const own = watchOne(id, untilTerminal ? "terminal" : undefined);
  const kept: WatchRecord = {
    ids: [],
    begins: [],
    faults: [],
    connections: [],
    transports: [],
    sawFailed: false,
    snapshot: own.getSnapshot(),
    loopEnded: undefined,
  };
  record[id] = kept;
  watches[id] = own;
  own.subscribe(() => {
    const snapshot = own.getSnapshot();
    const { connection, analysis } = snapshot;
    if (kept.snapshot.analysis !== null && analysis === null) kept.faults.push("the state is gone");
    kept.snapshot = snapshot;
    kept.sawFailed ||= analysis?.status === "failed";
    if (kept.connections.at(-1) !== connection.status) kept.connections.push(connection.status);
    if (connection.status === "live" && kept.transports.at(-1) !== connection.transport)
      kept.transports.push(connection.transport);
    if (connection.status === "refused") kept.faults.push(`refused: ${connection.code} ${connection.reason}`);
  });
  void (async () => {
    try {
      for await (const event of own) {
        if (event.event_type === "analysis_state") kept.begins.push(event.last_event_id);
        else if ("event_id" in event) kept.ids.push(event.event_id);
      }
      kept.loopEnded = "done";
    } catch (error) {
      kept.loopEnded = String(error);
    }
  })();
}

/** Those that are set and have not run. */
function countTimers(): Set<unknown> {
  const pending = new Set<unknown>();
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  const counted = (task: () => void, ms?: number) => {
    const timer = set(() => {
      pending.delete(timer);
      task();
    }, ms);
    pending.add(timer);
    return timer;
  };
  const cleared = (timer: ReturnType<typeof setTimeout>) => {
    pending.delete(timer);
    clear(timer);
  };
  Object.assign(globalThis, { setTimeout: counted, clearTimeout: cleared });
  return pending;
}

function countListeners(): { count: number } {
  const counter = { count: 0 };
  const { addEventListener: add, removeEventListener: remove } = globalThis;
  Object.assign(globalThis, {
    addEventListener(...given: Parameters<typeof add>) {
      counter.count += 1;
      add(...given);
    },
    removeEventListener(...given: Parameters<typeof remove>) {
      counter.count -= 1;
      remove(...given);
    },
  });
  return counter;
}

/** The constructor of the page notes them all. */
function noteSockets(): WebSocket[] {
  const made: WebSocket[] = [];
  const Own = globalThis.WebSocket;
  class Noted extends Own {
    constructor(...given: ConstructorParameters<typeof Own>) {
      super(...given);
      made.push(this);
    }
  }
  Object.assign(globalThis, { WebSocket: Noted });
  return made;
}

/** Those that nobody closed. A browser waits long for a peer that is gone. */
function openSockets(): number {
  return sockets.filter(({ readyState }) => readyState < WebSocket.CLOSING).length;
}

export interface PageOptions {
  readonly seed: number;
  readonly url: string;
  readonly tokenUrl: string;
  readonly pauses: number;
  readonly analyses: readonly { readonly id: string; readonly untilTerminal: boolean }[];
}

export interface WatchRecord {
  /** The event_ids, in the order in which they came. */
  readonly ids: string[];
  /** The position of each state that the watch began with. */
  readonly begins: string[];
  readonly faults: string[];
  readonly connections: string[];
  readonly transports: string[];
  sawFailed: boolean;
  snapshot: ReturnType<AnalysisWatch["getSnapshot"]>;
  /** How the loop over the events ended; undefined as long as it runs. */
  loopEnded: string | undefined;
}

export interface PageReport {
  readonly watches: Readonly<Record<string, WatchRecord>>;
  readonly timers: number;
  /** Listeners for the page's own events. */
  readonly listeners: number;
  readonly sockets: number;
}

/** As the test drives it. */
export interface WatchedPage {
  begin(options: PageOptions): void;
  report(): PageReport;
  closeWatch(id: string): void;
  /** `taken`, `not watched`, or the code of the refusal. */
  cancel(id: string): Promise<string>;
  /** Watches one of them once more, for so long. */
  watchAgain(id: string, ms: number): void;
}
