import type { Ledger, SentEvent } from "./ledger.ts";
import { type Fault, named } from "./oracle.ts";
import type { Seen } from "./sighting.ts";

/** Around a fault in which nobody may have listened, no gateway need have heard both of two. */
const AROUND_MS = 15_000;

/** The log of one analysis against what its publishers know. */
export function judgeLog(log: readonly Seen[], sent: readonly SentEvent[], ledger: Ledger): Fault[] {
  const faults: Fault[] = [];
  const hole = log.findIndex(({ offset }, index) => offset !== index + 1);
  if (hole >= 0) faults.push({ name: "gap", what: `the log has ${log[hole]?.id} at place ${hole + 1}` });
  const kept = Map.groupBy(log, ({ text }) => named(text).publisher);
  const published = Map.groupBy(sent, ({ publisher }) => publisher);
  const isMixed = published.size > 1;
  for (const publisher of new Set([...kept.keys(), ...published.keys()])) {
    const [its, own] = [kept.get(publisher) ?? [], published.get(publisher) ?? []];
    // Each event that a fault itself brought with it was sent once.
    if (own.length === 0) faults.push(...judgeRising(its));
    else faults.push(...judgeOrder(its, own, ledger), ...judgeCounts(its, own, ledger, isMixed));
  }
  return faults;
}

function judgeRising(log: readonly Seen[]): Fault[] {
  const sequences = log.map(({ text }) => named(text).sequence);
  const wrong = log.filter((_, index) => index > 0 && (sequences[index] ?? 0) <= (sequences[index - 1] ?? 0));
  return wrong.map(({ id, text }) => ({ name: "disorder", what: `${named(text).publisher} at ${id}` }));
}

/** The events of the log were sent in this order; a part of them may be missing. */
function judgeOrder(log: readonly Seen[], sent: readonly SentEvent[], ledger: Ledger): Fault[] {
  const faults: Fault[] = [];
  const mayComeLate = new Set(
    sent.filter((event) => ledger.mayComeLate(event)).map(({ sequence }) => sequence),
  );
  let last = -1;
  for (const { id, text } of log) {
    const { publisher, sequence } = named(text);
    if (mayComeLate.has(sequence)) continue;
    const next = sent.findIndex((event, index) => index > last && event.sequence === sequence);
    if (next >= 0) last = next;
    else {
      faults.push({
        name: "disorder",
        what: `${publisher} ${sequence} comes after ${sent[last]?.sequence}: ${id}`,
      });
    }
  }
  return faults;
}

/** Each as often as it was sent: a retry is no event of its own, what was sent again after something else is. */
function judgeCounts(
  log: readonly Seen[],
  sent: readonly SentEvent[],
  ledger: Ledger,
  isMixed: boolean,
): Fault[] {
  const faults: Fault[] = [];
  const found = Map.groupBy(log, ({ text }) => named(text).sequence);
  for (const [sequence, all] of Map.groupBy(sent, (event) => event.sequence)) {
    const [{ lane, publisher, terminal }] = all as [SentEvent];
    const key = `${publisher} ${sequence} (${lane})`;
    const seen = found.get(sequence) ?? [];
    // An event that came by another way in between makes a retry an event of its own.
    const mostOf = ({ again, tries }: SentEvent) => (isMixed ? tries : again === "retry" ? 0 : 1);
    const most = all.reduce((sum, event) => sum + mostOf(event), 0);
    if (seen.length > most)
      faults.push({
        name: "double",
        what: `${key} is there ${seen.length} times, not ${most}: ${seen.at(-1)?.id}`,
      });
    if (seen.length > 0 && all.every(({ fate }) => fate === "refused"))
      faults.push({ name: "refused_but_stored", what: `${key} is ${seen[0]?.id}` });
    const sure = all.filter((event) => event.fate === "acknowledged" && !ledger.isExcused(event));
    const least = leastOf(sure, all, ledger);
    if (seen.length < least) {
      const name = terminal ? "lost_terminal" : "lost_event";
      faults.push({ name, what: `${key} is there ${seen.length} times, not ${least}` });
    }
    const answered = sure.find(({ eventId }) => eventId !== undefined)?.eventId;
    if (answered !== undefined && seen.length > 0 && seen.every(({ id }) => id !== answered))
      faults.push({ name: "double", what: `${key} was answered ${answered} and is ${seen[0]?.id}` });
  }
  return faults;
}

function leastOf(sure: readonly SentEvent[], all: readonly SentEvent[], ledger: Ledger): number {
  const events = sure.filter(({ again }) => again !== "retry").length;
  const [first, last] = [all[0], all.at(-1)];
  if (first === undefined || last === undefined) return 0;
  const isCalm = !ledger.excuses.some(
    ({ from, to }) => first.sentAt <= to + AROUND_MS && last.settledAt >= from - AROUND_MS,
  );
  return isCalm ? events : Math.min(sure.length, 1);
}
