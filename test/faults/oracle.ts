import { judgeLog } from "./judge-log.ts";
import type { Ledger, SentEvent } from "./ledger.ts";
import { type Payloads, type Seen, type Sighting, seenIn } from "./sighting.ts";

/** The faults, by the promise that is broken. */
export type FaultName =
  | "gap"
  | "double"
  | "disorder"
  | "two_payloads"
  | "lost_terminal"
  | "lost_event"
  | "refused_but_stored"
  | "needless_restart"
  | "not_converged"
  | "answer"
  /** The round itself could not be played. */
  | "broken";

export interface Fault {
  readonly name: FaultName;
  readonly what: string;
}

/** The state as `GET /v1/analyses/{id}` gave it. */
export interface ReadState {
  readonly last_event_id: string;
  readonly status: string;
  readonly message: string | null;
}

interface Named {
  readonly publisher: string;
  readonly sequence: number;
  readonly event_type: string;
  readonly message?: string;
}

/** Everything that must be true of one analysis once it is whole again. */
export function judgeAnalysis(
  { log, state }: { readonly log: readonly Seen[]; readonly state: ReadState },
  sightings: readonly Sighting[],
  ledger: Ledger,
  sent: readonly SentEvent[],
  payloads: Payloads,
  analysisId: string,
): Fault[] {
  const faults: Fault[] = [];
  for (const seen of log) payloads.note(analysisId, seen);
  faults.push(...judgeLog(log, sent, ledger));
  const newest = log.at(-1);
  if (state.last_event_id !== (newest?.id ?? "0")) {
    faults.push(notConverged(`the state stands at ${state.last_event_id}, the log at ${newest?.id}`));
  }
  const lastStatus = log.findLast(({ text }) => named(text).event_type === "status_update");
  const message = lastStatus === undefined ? undefined : named(lastStatus.text).message;
  if (message !== undefined && state.message !== message) {
    faults.push(notConverged(`the state says ${state.message}, the log ${message}`));
  }
  const terminal = newest !== undefined && named(newest.text).event_type === "result_update";
  if (terminal && state.status !== "completed") faults.push(notConverged(`the state is ${state.status}`));
  for (const sighting of sightings) {
    for (const what of judgeSighting(sighting, log)) {
      faults.push({ ...what, what: `${sighting.watcher}: ${what.what}` });
    }
  }
  return faults;
}

/** Compares the events of one watcher with the log. */
function judgeSighting(sighting: Sighting, log: readonly Seen[]): Fault[] {
  const faults: Fault[] = [];
  const kept = new Map(log.map((seen) => [seen.id, seen.text]));
  for (const { held, base } of sighting.lost) {
    const survived = held.every(({ id, text }) => kept.get(id) === text);
    if (survived && (base === undefined || base === "0" || kept.has(base))) {
      faults.push({ name: "needless_restart", what: `all ${held.length} it held up to ${held.at(-1)?.id}` });
    }
  }
  const { held, start } = sighting;
  for (const { id, text } of held) {
    if (kept.get(id) !== text) return [...faults, notConverged(`holds ${id}, which is not in the log`)];
  }
  const [first] = held;
  if (first === undefined) {
    const nothing = log.length === 0 || (start === "none" && sighting.base === log.at(-1)?.id);
    return nothing ? faults : [...faults, notConverged("holds nothing")];
  }
  if (start !== "latest") {
    const before = start === "all" ? 0 : Number(/\d+$/.exec(sighting.base ?? "0")?.[0] ?? 0);
    if (first.offset !== before + 1 && !(sighting.conflated && passedOver(log, before, first.offset))) {
      faults.push({ name: "gap", what: `begins with ${first.id}, after offset ${before}` });
    }
  }
  for (const [index, { id, offset }] of held.entries()) {
    const next = held[index + 1]?.offset ?? log.length + 1;
    if (next === offset + 1) continue;
    if (index === held.length - 1)
      return [...faults, notConverged(`ends with ${id}, the log has ${log.length}`)];
    const fromReplay = start === "latest" && index === 0;
    if (fromReplay || (sighting.conflated && passedOver(log, offset, next))) continue;
    faults.push({ name: "gap", what: `nothing between ${id} and offset ${next}` });
  }
  return faults;
}

/** Whether all between the two offsets may be left out: statuses in favour of a newer one. */
function passedOver(log: readonly Seen[], offset: number, next: number): boolean {
  const between = log.slice(offset, next);
  return between.slice(0, -1).every(({ text }) => named(text).event_type === "status_update");
}

export function named(text: string): Named {
  return JSON.parse(text) as Named;
}

function notConverged(what: string): Fault {
  return { name: "not_converged", what };
}

/** All pages of the log, from the oldest. */
export async function readLog(url: string, token: string, analysisId: string): Promise<Seen[]> {
  const log: Seen[] = [];
  for (;;) {
    const after = log.at(-1)?.id;
    const query = new URLSearchParams({ limit: "1000", ...(after === undefined ? {} : { after }) });
    const page = await read<{ events: unknown[]; resumed: boolean | null }>(
      `${url}/v1/analyses/${analysisId}/events?${query}`,
      token,
    );
    if (page.resumed === false && after !== undefined) throw new Error(`the log moved while it was read`);
    for (const event of page.events) {
      const seen = seenIn(JSON.stringify(event));
      if (seen !== undefined) log.push(seen);
    }
    if (page.events.length < 1000) return log;
  }
}

export function readState(url: string, token: string, analysisId: string): Promise<ReadState> {
  return read(`${url}/v1/analyses/${analysisId}`, token);
}

async function read<T>(url: string, token: string): Promise<T> {
  const answer = await fetch(url, {
    headers: { Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(5_000),
  });
  if (answer.status !== 200) throw new Error(`${answer.status} from ${url}`);
  return (await answer.json()) as T;
}
