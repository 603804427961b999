import type { BrowserPage } from "../test/faults/browser/chromium.ts";

/** The tasks of a page's main thread, by the browser's own trace. */
export interface MainThreadTrace {
  readonly seconds: number;
  /** Milliseconds from the beginning to the end of its tasks, and those of a processor: the others it waited for one. */
  readonly taskMs: number;
  readonly processorMs: number;
  readonly longestTaskMs: number;
  /** Milliseconds of the parts that take the most, without what they contain. */
  readonly parts: readonly (readonly [name: string, ms: number])[];
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds, as `dur`, and `tdur` of a processor. */
  readonly ts: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string; readonly data?: { readonly frames?: readonly TracedFrame[] } };
}

interface TracedFrame {
  readonly url: string;
  readonly processId: number;
}

/** Chromium names so each task that a thread runs. */
const TASK = "RunTask";
const CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline"];

/** Traces the page while the deed goes on. */
export async function traced(page: BrowserPage, deed: () => Promise<void>): Promise<MainThreadTrace> {
  await page.send("Tracing.start", {
    transferMode: "ReturnAsStream",
    traceConfig: { includedCategories: CATEGORIES, recordMode: "recordAsMuchAsPossible" },
  });
  const began = performance.now();
  await deed();
  const seconds = (performance.now() - began) / 1_000;
  const completed = page.next("Tracing.tracingComplete");
  await page.send("Tracing.end");
  const { stream } = (await completed) as { stream: string };
  const { traceEvents } = JSON.parse(await read(page, stream)) as { traceEvents: TraceEvent[] };
  return { seconds, ...sumOf(onMainThread(traceEvents)) };
}

async function read(page: BrowserPage, handle: string): Promise<string> {
  let text = "";
  for (;;) {
    const { data, eof, base64Encoded } = (await page.send("IO.read", { handle, size: 1 << 20 })) as {
      data: string;
      eof: boolean;
      base64Encoded?: boolean;
    };
    text += base64Encoded ? atob(data) : data;
    if (eof) break;
  }
  await page.send("IO.close", { handle });
  return text;
}

/** The complete events of the main thread of the process that shows the page, in their order. */
function onMainThread(events: readonly TraceEvent[]): TraceEvent[] {
  const frames = events.flatMap(({ name, args }) =>
    name === "TracingStartedInBrowser" ? (args?.data?.frames ?? []) : [],
  );
  const pid = frames.find(({ url }) => url.startsWith("http"))?.processId;
  const thread = events.find(
    (event) => event.pid === pid && event.name === "thread_name" && event.args?.name === "CrRendererMain",
  );
  if (thread === undefined) throw new Error("the trace has no main thread of the page");
  return events
    .filter(({ ph, pid, tid }) => ph === "X" && pid === thread.pid && tid === thread.tid)
    .sort((one, other) => one.ts - other.ts || (other.dur ?? 0) - (one.dur ?? 0));
}

function sumOf(events: readonly TraceEvent[]): Omit<MainThreadTrace, "seconds"> {
  const tasks = events.filter(({ name }) => name === TASK);
  const own = new Map<string, number>();
  const add = (name: string, microseconds: number) =>
    own.set(name, (own.get(name) ?? 0) + microseconds / 1_000);
  const around: { readonly name: string; readonly end: number }[] = [];
  for (const { name, ts, dur = 0 } of events) {
    while (around.length > 0 && (around.at(-1)?.end as number) <= ts) around.pop();
    const outer = around.at(-1);
    if (outer !== undefined) add(outer.name, -dur);
    if (outer !== undefined || name === TASK) add(name, dur);
    around.push({ name, end: ts + dur });
  }
  return {
    taskMs: tasks.reduce((sum, { dur = 0 }) => sum + dur / 1_000, 0),
    processorMs: tasks.reduce((sum, { tdur = 0 }) => sum + tdur / 1_000, 0),
    longestTaskMs: Math.max(0, ...tasks.map(({ dur = 0 }) => dur / 1_000)),
    parts: [...own].sort(([, one], [, other]) => other - one),
  };
}
