import { isDeepStrictEqual } from "node:util";
import type { BrowserPage } from "./chromium.ts";
import type { WatchRecord } from "./watch-record.ts";
import type { PageReport } from "./watched-page.ts";

interface Log {
  readonly ids: readonly string[];
  readonly types: readonly string[];
  readonly state: object;
}

/** All that is wrong with what a page saw of one analysis. */
export function faultsOf(id: string, watch: WatchRecord | undefined, log: Log): string[] {
  if (watch === undefined) return [`${id}: no watch`];
  const faults = [...watch.faults, ...faultsOfEvents(watch, log)];
  const { analysis, connection } = watch.snapshot;
  if (!isDeepStrictEqual(analysis, stateFor(analysis, log.state)))
    faults.push(`state ${JSON.stringify(analysis)} instead of ${JSON.stringify(log.state)}`);
  if (watch.ids !== null && !["finished", "closed"].includes(connection.status))
    faults.push(`connection ${connection.status}`);
  if (watch.completions !== null && watch.completions !== 1)
    faults.push(`it was told of ${watch.completions} ends`);
  const hasFailed = (log.state as { status: string }).status === "failed";
  if (watch.sawFailed && !hasFailed) faults.push("it was shown as failed");
  if (watch.ended !== "done") faults.push(`it ended with ${watch.ended}`);
  return faults.map((fault) => `${id}: ${fault}`);
}

/** A page that was away from the request to cancel until the end never hears of the request. */
function stateFor(analysis: WatchRecord["snapshot"]["analysis"], state: object): object {
  return analysis?.cancelled_by === null ? { ...state, cancelled_by: null } : state;
}

function faultsOfEvents({ ids, begins }: WatchRecord, log: Log): string[] {
  if (ids === null) return [];
  const faults: string[] = [];
  const [begin, ...more] = begins;
  const after = begin === undefined || begin === "0" ? 0 : log.ids.indexOf(begin) + 1;
  if (begin === undefined || more.length > 0) faults.push(`begins: ${begins}`);
  if (begin !== "0" && after === 0) faults.push(`it began at ${begin}, which is not in the log`);
  const due = log.ids.slice(after);
  if (!isDeepStrictEqual(ids, due)) faults.push(`events ${ids} instead of ${due}`);
  return faults;
}

/** A connection that no watch needs is closed after a quarter of a second. */
const PATIENCE_MS = 20_000;

/** Timers, listeners, sockets, locks and requests to `gateway` that the watches of the page left behind after their end: none if all is right. */
export async function leftoversOf(
  page: BrowserPage,
  gateway: string,
  look: () => Promise<PageReport>,
): Promise<string[]> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const { timers, listeners, sockets, locks } = await look();
    const requests = page.openRequests.filter((url) => url.startsWith(gateway));
    if (timers + listeners + sockets + locks + requests.length === 0) return [];
    if (performance.now() > deadline)
      return [
        `left behind: ${timers} timers, ${listeners} listeners, ${sockets} sockets, ${locks} locks, requests ${requests}`,
      ];
    await Bun.sleep(100);
  }
}
