import type { EntryKey, OccurrenceKey, RequestKey } from "../../src/application/ports/deduplication-key.ts";
import type { Occurrence } from "../../src/domain/occurrence.ts";
import { result, status } from "../../src/testing/encoded-events.ts";
import { occurrenceKey } from "../../src/testing/occurrence-key.ts";
import { append, type Course, type CourseStep, elapse } from "./course.ts";

/** Shared stretches: two marks of one server, and one of another. */
const P = "first.1.p";
const Q = "first.20.q";
const ELSEWHERE = "other.3.r";

const event = status({ stage: "uploading" });

/** Deduplication by key, by inbox entry and by occurrence. */
export const DEDUPLICATION_COURSES: readonly Course[] = [
  {
    name: "a repeated key is answered with the positions of the first time, whatever came since",
    steps: [
      append([event, event], "stored 1-2", key("k")),
      append(event, "stored 3", key("other")),
      append(event, "duplicate 1-2", key("k")),
      append(event, "duplicate 3", key("other")),
    ],
    leaves: left(3),
  },
  {
    name: "a key is new again once its window has passed, and counts from then",
    steps: [
      append(event, "stored 1", key("k")),
      elapse(30),
      append(event, "stored 2", key("k", { windowMs: 1 })),
      append(event, "duplicate 2", key("k")),
    ],
    leaves: left(2),
  },
  {
    name: "a key is forgotten after its time, though its window is longer",
    steps: [
      append(event, "stored 1", key("k", { rememberMs: 10 })),
      elapse(40),
      append(event, "stored 2", key("k")),
    ],
    leaves: left(2),
  },
  {
    name: "a refused request is not remembered by its key",
    steps: [
      append(result({ attemptId: "a" }), "stored 1"),
      append(status({ stage: "x", attemptId: "a" }), "attempt_ended 0", key("k")),
      append(status({ stage: "x", attemptId: "b" }), "stored 2", key("k")),
      append(status({ stage: "x", attemptId: "a" }), "duplicate 2", key("k")),
    ],
    leaves: { offset: 2, status: 2, attempt: "b", stages: ["x 2"], reopening: [2] },
  },
  {
    name: "an entry is known if it or a later one was stored, and answered with the last one",
    steps: [
      append(event, "stored 1", entry("9-5")),
      append(event, "duplicate 1", entry("9-5")),
      append(event, "duplicate 1", entry("9-4")),
      append(event, "duplicate 1", entry("8-99")),
      append([event, event], "stored 2-3", entry("9-10")),
      append(event, "duplicate 2-3", entry("9-5")),
      append(event, "stored 4", entry("10-0")),
      append(event, "duplicate 4", entry("9-11")),
    ],
    leaves: left(4),
  },
  {
    name: "the ids of entries are compared as numbers of 64 bits",
    steps: [
      append(event, "stored 1", entry("9007199254740993-18446744073709551614")),
      append(event, "duplicate 1", entry("9007199254740993-18446744073709551613")),
      append(event, "duplicate 1", entry("9007199254740992-18446744073709551615")),
      append(event, "stored 2", entry("9007199254740993-18446744073709551615")),
      append(event, "stored 3", entry("9007199254740994-0")),
    ],
    leaves: left(3),
  },
  {
    name: "a refused entry is not taken for stored",
    steps: [
      append(result({ attemptId: "a" }), "stored 1", entry("1-0")),
      append(status({ stage: "x", attemptId: "a" }), "attempt_ended 0", entry("2-0")),
      append(status({ stage: "x" }), "stored 2", entry("2-0")),
    ],
    leaves: { offset: 2, status: 2, attempt: "a", stages: ["x 2"], reopening: [2] },
  },
  {
    name: "an occurrence is known by its name, with all of the same stretch before it",
    steps: [
      offer("a", P, 1, "stored 1"),
      offer("b", P, 1, "stored 2"),
      offer("a", P, 1, "duplicate 1", { listener: "you" }),
      offer("a", P, 3, "stored 3"),
      offer("a", P, 2, "duplicate 3"),
      offer("a", Q, 1, "stored 4"),
      offer("a", P, 3, "duplicate 4"),
    ],
    leaves: left(4),
  },
  {
    name: "an occurrence is forgotten after its time",
    steps: [offer("a", P, 1, "stored 1", {}, { rememberMs: 10 }), elapse(40), offer("a", P, 1, "stored 2")],
    leaves: left(2),
  },
  {
    name: "directly after the same content an occurrence is a retry",
    steps: [
      offer("a", P, 1, "stored 1"),
      offer("a", Q, 1, "duplicate 1", { before: "same" }),
      offer("a", Q, 2, "stored 2", { before: "other" }),
    ],
    leaves: left(2),
  },
  {
    name: "an occurrence is no retry once the window has passed",
    steps: [
      offer("a", P, 1, "stored 1"),
      elapse(30),
      offer("a", P, 2, "stored 2", { before: "same" }, { retryMs: 1 }),
      offer("a", P, 2, "duplicate 2", { before: "same" }, { retryMs: 1 }),
    ],
    leaves: left(2),
  },
  {
    name: "an event that came by another way makes a repetition an event of its own",
    steps: [
      offer("a", P, 1, "stored 1"),
      append(event, "stored 2", key("k")),
      offer("a", P, 2, "stored 3", { before: "same" }),
      offer("a", P, 3, "duplicate 3", { before: "same" }),
    ],
    leaves: left(3),
  },
  {
    name: "bare messages stored since were published after a retry",
    steps: [
      offer("a", P, 1, "stored 1"),
      offer("b", Q, 1, "stored 2", { before: "unknown" }),
      offer("a", P, 2, "duplicate 1", { before: "same" }),
      append(event, "stored 3"),
      offer("b", P, 2, "stored 4"),
      offer("a", P, 3, "stored 5", { before: "same" }),
    ],
    leaves: left(5),
  },
  {
    name: "a listener that does not know what came before takes only the newest event for a retried one",
    steps: [
      offer("a", P, 1, "stored 1"),
      offer("a", Q, 1, "duplicate 1", { before: "unknown" }),
      offer("b", Q, 1, "stored 2"),
      offer("a", Q, 2, "stored 3", { before: "unknown" }),
    ],
    leaves: left(3),
  },
  {
    name: "a listener that does know overrules it, once",
    steps: [
      offer("a", P, 1, "stored 1"),
      offer("a", Q, 1, "duplicate 1", { before: "unknown", listener: "you" }),
      offer("b", P, 1, "stored 2"),
      offer("a", Q, 1, "stored 3", { before: "other" }),
      offer("a", Q, 1, "duplicate 3", { before: "other" }),
    ],
    leaves: left(3),
  },
  {
    name: "an occurrence takes the place of a later one that overtook it, and that one comes again",
    steps: [
      offer("a", Q, 1, "stored 1", { before: "unknown", listener: "new" }),
      offer("a", P, 1, "duplicate 1"),
      offer("b", P, 1, "stored 2"),
      offer("a", Q, 1, "stored 3"),
      offer("a", Q, 1, "duplicate 3", { before: "unknown", listener: "new" }),
    ],
    leaves: left(3),
  },
  {
    name: "an occurrence that overtook another comes again with its retry",
    steps: [
      offer("a", Q, 1, "stored 1", { before: "unknown", listener: "new" }),
      offer("a", Q, 2, "duplicate 1", { before: "same", listener: "new" }),
      offer("a", P, 1, "duplicate 1"),
      offer("b", P, 1, "stored 2"),
      offer("a", Q, 1, "stored 3"),
      offer("a", Q, 2, "duplicate 3", { before: "same" }),
      offer("a", Q, 3, "stored 4"),
    ],
    leaves: left(4),
  },
  {
    name: "an occurrence is not overtaken if one of its stretch was refused after it",
    steps: [
      append(result({ attemptId: "a" }), "stored 1"),
      offer("x", Q, 1, "stored 2", { before: "unknown", listener: "new" }, {}, "b"),
      offer("x", Q, 2, "attempt_superseded 0", { listener: "new" }, {}, "a"),
      offer("x", P, 1, "stored 3", {}, {}, "b"),
      offer("x", Q, 1, "duplicate 3", {}, {}, "b"),
      offer("x", Q, 2, "attempt_superseded 0", {}, {}, "b"),
    ],
    leaves: { offset: 3, status: 3, attempt: "b", stages: ["uploading 2"], reopening: [2] },
  },
  {
    name: "an occurrence is not overtaken if a later one of its stretch is stored already",
    steps: [
      offer("a", P, 1, "stored 1"),
      offer("a", Q, 1, "duplicate 1", { before: "unknown", listener: "you" }),
      offer("b", Q, 1, "stored 2"),
      offer("a", Q, 2, "stored 3", { listener: "you" }),
      offer("a", Q, 1, "stored 4"),
      offer("a", P, 2, "stored 5"),
      offer("a", Q, 2, "duplicate 5"),
    ],
    leaves: left(5),
  },
  {
    name: "times of marks are compared as numbers",
    steps: [
      offer("a", "first.9.p", 1, "stored 1", { before: "unknown" }),
      offer("a", "first.10.q", 1, "stored 2"),
      offer("a", "first.11.r", 1, "stored 3"),
      offer("a", "first.10.s", 1, "duplicate 3"),
    ],
    leaves: left(3),
  },
  {
    name: "by a name of its own an occurrence is one of those that others stored, as often as they did",
    steps: [
      offer("a", P, 1, "stored 1"),
      offer("b", P, 1, "stored 2"),
      offer("a", P, 2, "stored 3"),
      offer("a", "~new.1", 1, "duplicate 3", { listener: "new" }),
      offer("a", "~new.1", 2, "duplicate 3", { listener: "new" }),
      offer("a", "~new.1", 3, "stored 4", { listener: "new" }),
      offer("a", "~new.1", 3, "duplicate 4", { listener: "new" }),
    ],
    leaves: left(4),
  },
  {
    name: "by a name of its own it is none that others stored before it can have been published",
    steps: [
      offer("a", P, 1, "stored 1"),
      offer("b", P, 1, "stored 2"),
      elapse(30),
      offer("a", "~new.1", 1, "stored 3", { listener: "new" }, { reachMs: 1 }),
    ],
    leaves: left(3),
  },
  {
    name: "an occurrence stored by a listener's own name is the same by the name of all, once",
    steps: [
      offer("a", "~new.1", 1, "stored 1", { listener: "new" }, { ageMs: 3_000 }),
      offer("b", Q, 1, "stored 2", { listener: "new" }),
      offer("a", P, 1, "duplicate 1", {}, { reachMs: 60_000 }),
      offer("a", P, 2, "stored 3", {}, { reachMs: 60_000 }),
      offer("a", "~new.1", 1, "duplicate 3", { listener: "new" }),
    ],
    leaves: left(3),
  },
  {
    name: "it is another one if it was published after the stored one by the clock",
    steps: [
      offer("a", "~new.1", 1, "stored 1", { listener: "new" }, { ageMs: 3_000 }),
      offer("b", "~new.1", 1, "stored 2", { listener: "new" }),
      offer("a", P, 1, "stored 3", {}, { reachMs: 2_000 }),
    ],
    leaves: left(3),
  },
  {
    name: "it is another one if the same listener heard the stored one before its first mark",
    steps: [
      offer("a", "~one.1", 1, "stored 1", { listener: "one" }),
      offer("a", "~two.1", 1, "duplicate 1", { listener: "two" }),
      offer("b", P, 1, "stored 2", { listener: "one" }),
      offer("a", P, 1, "stored 3", { listener: "two" }),
      offer("a", P, 1, "duplicate 3", { listener: "one" }),
    ],
    leaves: left(3),
  },
  {
    name: "it is another one than a retry if something else was heard before it",
    steps: [
      offer("a", "~one.1", 1, "stored 1", { listener: "one", before: "unknown" }),
      offer("a", "~one.1", 2, "duplicate 1", { listener: "one", before: "same" }),
      offer("a", P, 1, "duplicate 1", { before: "unknown" }),
      offer("b", P, 1, "stored 2"),
      offer("a", P, 2, "stored 3"),
      append(event, "stored 4"),
      offer("a", P, 3, "duplicate 3", { before: "same" }),
      offer("a", P, 4, "stored 5", { before: "same" }),
    ],
    leaves: left(5),
  },
  {
    name: "a retry is one by the marks of another server as well",
    steps: [
      offer("a", "~one.1", 1, "stored 1", { listener: "one", before: "unknown" }),
      offer("a", "~one.1", 2, "duplicate 1", { listener: "one", before: "same" }),
      offer("a", P, 1, "duplicate 1", { before: "unknown" }),
      offer("a", P, 2, "duplicate 1", { before: "same" }),
      offer("b", P, 1, "stored 2"),
      offer("a", ELSEWHERE, 1, "duplicate 1"),
      offer("a", ELSEWHERE, 2, "stored 3"),
    ],
    leaves: left(3),
  },
  {
    name: "it is another one if it was published after a mark that the same listener heard since",
    steps: [
      offer("a", "~one.1", 1, "stored 1", { listener: "one" }),
      offer("a", P, 1, "duplicate 1", { listener: "one", before: "same" }),
      offer("b", P, 1, "stored 2", { listener: "two" }),
      offer("a", P, 2, "stored 3", { listener: "two" }),
      offer("b", P, 2, "stored 4", { listener: "two" }),
      offer("a", Q, 1, "stored 5", { listener: "two" }),
      offer("b", P, 3, "stored 6", { listener: "two" }),
      offer("a", "first.0.o", 1, "duplicate 5", { listener: "two" }),
    ],
    leaves: left(6),
  },
  {
    name: "by the marks of another server it may be any that was stored since it was published, once",
    steps: [
      offer("a", P, 1, "stored 1"),
      offer("a", ELSEWHERE, 1, "duplicate 1"),
      offer("b", P, 1, "stored 2"),
      offer("a", ELSEWHERE, 2, "stored 3"),
    ],
    leaves: left(3),
  },
  {
    name: "a refused occurrence is refused again by every name, when the analysis has moved on as well",
    steps: [
      append(result({ attemptId: "a" }), "stored 1"),
      offer("x", "~new.1", 1, "attempt_ended 0", { listener: "new" }, {}, "a"),
      offer("x", "~new.1", 1, "attempt_ended 0", { listener: "new" }, {}, "b"),
      offer("x", P, 1, "attempt_ended 0", {}, {}, "b"),
      offer("x", P, 1, "attempt_ended 0", { listener: "you" }, {}, "b"),
      offer("x", P, 2, "stored 2", {}, {}, "b"),
    ],
    leaves: { offset: 2, status: 2, attempt: "b", stages: ["uploading 2"], reopening: [2] },
  },
];

function left(offset: number) {
  return { offset, status: offset, stages: ["uploading 1"] };
}

function key(name: string, times: Partial<RequestKey> = {}): RequestKey {
  return { by: "key", name, scope: "channel", windowMs: 60_000, rememberMs: 60_000, ...times };
}

function entry(id: string): EntryKey {
  return { by: "entry", id };
}

function offer(
  content: string,
  stretch: string,
  number: number,
  outcome: string,
  occurrence: Partial<Occurrence> = {},
  times: Partial<OccurrenceKey> = {},
  attemptId?: string,
): CourseStep {
  const event = status({ stage: "uploading", ...(attemptId !== undefined && { attemptId }) });
  return append(event, outcome, occurrenceKey(content, { stretch, number, ...occurrence }, times));
}
