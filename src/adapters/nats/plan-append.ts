import type { AppendOutcome, AppendRequest } from "../../application/ports/pub-sub-port.ts";
import type { EncodedEvent } from "../../domain/analysis-event.ts";
import { appendToRecord, type ChannelRecord, mostKept } from "../../domain/channel-record.ts";
import type { EpochSpan } from "../../domain/event-position.ts";
import { type ChannelHead, ELSEWHERE, type KeptHead, recordOf } from "./channel-head.ts";
import { encodeMessage } from "./channel-message.ts";
import type { ChannelCourse, ChannelState, EventPlace, LastEntry, RenamedKey } from "./channel-state.ts";
import { isMarked, marksAfter } from "./entry-ids.ts";

/** The outcome of some appends on a channel. */
export interface AppendPlan {
  /** In the order of the requests, if the message is stored. */
  readonly outcomes: readonly AppendOutcome[];
  /** The life of the counter that they belong to. */
  readonly birth: string;
  /** Undefined if nothing is to be stored. */
  readonly message: PlannedMessage | undefined;
}

interface PlannedMessage {
  readonly text: string;
  /** The channel once the message lies at this sequence. */
  headAt(sequence: number): ChannelHead;
}

interface PlanTerms {
  /** How many of the newest events are kept. */
  readonly size: number;
  /** Milliseconds since 1970 on the broker's clock, as is `now`. */
  readonly deadline: number;
  readonly now: number;
  readonly newName: () => string;
  /** The key of the request, if the message gets another id; `sequence` is 0. */
  readonly renamed?: RenamedKey | undefined;
}

/** So many keys with other ids are named, the newest ones. */
const RENAMED_KEPT = 50;

/** Judges appends by what the channel is, and makes the message that holds those that may follow. Changes nothing. */
export function planAppend(
  head: ChannelHead,
  requests: readonly Pick<AppendRequest, "events" | "deduplicate">[],
  terms: PlanTerms,
): AppendPlan {
  const { kept } = head;
  const isNewEpoch = kept === undefined || kept.course.lineage !== head.lineage;
  const epoch = isNewEpoch ? terms.newName() : kept.epoch;
  const record = recordOf(kept, epoch);
  const first = record.offset + 1;
  const taken: Taken = {
    events: [],
    reopens: [],
    entry: kept?.state.lastEntry,
    oldestKept: kept?.state.oldestKept ?? 1,
  };
  const outcomes = requests.map((request) => take(request, record, taken, terms.size));
  const birth = kept?.course.birth ?? terms.newName();
  if (taken.events.length === 0) return { outcomes, birth, message: undefined };

  const { oldestKept } = taken;
  const course: ChannelCourse = {
    birth,
    bornAfter: kept?.course.bornAfter ?? head.lastSequence,
    bornAt: kept?.course.bornAt ?? terms.now,
    lineage: head.lineage,
    spans: spansAfter(kept, isNewEpoch ? { epoch, firstOffset: first } : undefined, oldestKept),
    attempts: record.attempts,
    stages: record.stages,
    run: record.run,
    renamed: renamedAfter(kept?.course.renamed ?? [], terms),
  };
  const changed = kept === undefined || isOther(course, kept.course);
  const state: ChannelState = {
    previous: kept?.sequence ?? 0,
    oldestKept,
    courseAt: changed ? 0 : kept.state.courseAt,
    lastStatus: placeAfter(record.lastStatus, kept?.state.lastStatus, first),
    currentTerminal: placeAfter(record.currentTerminal, kept?.state.currentTerminal, first),
    lastEntry: taken.entry,
  };
  const { events, reopens } = taken;
  const text = encodeMessage({
    ...{ epoch, first, deadline: terms.deadline, events, reopens, state },
    course: changed ? course : undefined,
  });
  const headAt = (sequence: number): ChannelHead => ({
    lastSequence: sequence,
    lineage: head.lineage,
    kept: {
      ...{ sequence, at: terms.now, epoch, offset: record.offset },
      course: courseAt(course, sequence),
      state: stateAt(state, sequence),
    },
  });
  return { outcomes, birth, message: { text, headAt } };
}

interface Taken {
  readonly events: EncodedEvent[];
  readonly reopens: boolean[];
  entry: LastEntry | undefined;
  oldestKept: number;
}

/** Takes a request into the record if it may follow. */
function take(
  { events, deduplicate }: Pick<AppendRequest, "events" | "deduplicate">,
  record: ChannelRecord,
  taken: Taken,
  size: number,
): AppendOutcome {
  const isEntry = deduplicate?.by === "entry";
  if (isEntry && taken.entry !== undefined && isMarked(deduplicate.id, taken.entry)) {
    const { epoch, first, count } = taken.entry;
    return { type: "duplicate", epoch, firstOffset: first, count };
  }
  const outcome = appendToRecord(record, events);
  if (outcome.type === "refused") return outcome;
  for (const [index, event] of events.entries()) {
    taken.events.push(event);
    taken.reopens.push(outcome.events[index]?.reopens ?? false);
  }
  const { epoch, offset } = record;
  const count = events.length;
  if (offset - taken.oldestKept + 1 > mostKept(size)) taken.oldestKept = offset - size + 1;
  const firstOffset = offset - count + 1;
  if (isEntry) taken.entry = { ...marksAfter(taken.entry, deduplicate.id), epoch, first: firstOffset, count };
  return { type: "stored", epoch, firstOffset, count };
}

/** Keeps the epoch of the event just before the oldest kept: a position there is good. */
function spansAfter(
  kept: KeptHead | undefined,
  begun: EpochSpan | undefined,
  oldestKept: number,
): readonly EpochSpan[] {
  const all = begun === undefined ? (kept?.course.spans ?? []) : [...(kept?.course.spans ?? []), begun];
  const second = all[1];
  if (second === undefined || second.firstOffset > oldestKept - 1) return all;
  return all.slice(all.findLastIndex(({ firstOffset }) => firstOffset <= oldestKept - 1));
}

function renamedAfter(before: readonly RenamedKey[], { renamed, now }: PlanTerms): readonly RenamedKey[] {
  if (renamed === undefined) return before;
  const others = before.filter(({ id, until }) => id !== renamed.id && until > now);
  return [...others, renamed].slice(-RENAMED_KEPT);
}

/** Where the event lies now: in the new message, where it lay before, or nowhere. */
function placeAfter(
  event: ChannelRecord["lastStatus"],
  before: EventPlace | undefined,
  first: number,
): EventPlace | undefined {
  if (event === undefined) return undefined;
  return event === ELSEWHERE ? before : { sequence: 0, index: event.position.offset - first };
}

function isOther(course: ChannelCourse, before: ChannelCourse): boolean {
  const { spans, attempts, stages, run, lineage, renamed } = course;
  return (
    lineage !== before.lineage ||
    spans !== before.spans ||
    renamed !== before.renamed ||
    attempts !== before.attempts ||
    run !== before.run ||
    stages.length !== before.stages.length ||
    stages.at(-1) !== before.stages.at(-1)
  );
}

function courseAt(course: ChannelCourse, sequence: number): ChannelCourse {
  const renamed = course.renamed.map((key) => (key.sequence === 0 ? { ...key, sequence } : key));
  return { ...course, renamed };
}

function stateAt(state: ChannelState, sequence: number): ChannelState {
  const at = (place: EventPlace | undefined) =>
    place?.sequence === 0 ? { sequence, index: place.index } : place;
  return {
    ...state,
    courseAt: state.courseAt || sequence,
    lastStatus: at(state.lastStatus),
    currentTerminal: at(state.currentTerminal),
  };
}
