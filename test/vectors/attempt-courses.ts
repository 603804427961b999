import { PAST_ATTEMPTS_KEPT } from "../../src/domain/attempts.ts";
import {
  cancelled,
  completed,
  dataResult,
  failed,
  fault,
  result,
  status,
} from "../../src/testing/encoded-events.ts";
import { append, type Course } from "./course.ts";

const [a, b, c] = [{ attemptId: "a" }, { attemptId: "b" }, { attemptId: "c" }];
/** One more than are kept, and the current one. */
const many = Array.from({ length: PAST_ATTEMPTS_KEPT + 2 }, (_, n) =>
  status({ attemptId: `${n}`, stage: "s" }),
);
const afterMany = many.length + 1;

/** Attempts and refusals. */
export const ATTEMPT_COURSES: readonly Course[] = [
  {
    name: "an attempt that another one superseded is refused, for good",
    steps: [
      append(status(a), "stored 1"),
      append(status(b), "stored 2"),
      append(status(a), "attempt_superseded 0"),
      append(result(a), "attempt_superseded 0"),
      append(status(c), "stored 3"),
      append([status(c), status(a)], "attempt_superseded 1"),
      append([status(c), status(b)], "attempt_superseded 1"),
    ],
    leaves: { offset: 3, status: 3, attempt: "c", stages: ["model_inference 3"], reopening: [2, 3] },
  },
  {
    name: "an attempt that the same request superseded is refused, and nothing of the request is stored",
    steps: [
      append(status(a), "stored 1"),
      append([status(b), status(c), status(b)], "attempt_superseded 2"),
      append([status(b), status(a)], "attempt_superseded 1"),
      append(status(b), "stored 2"),
    ],
    leaves: { offset: 2, status: 2, attempt: "b", stages: ["model_inference 2"], reopening: [2] },
  },
  {
    name: "a refused request leaves the attempt, its end and the state as they were",
    steps: [
      append(status(a), "stored 1"),
      append([result(a), status({ stage: "x" }), status(a)], "attempt_ended 2"),
      append(status(a), "stored 2"),
    ],
    leaves: { offset: 2, status: 2, attempt: "a", stages: ["model_inference 1"] },
  },
  {
    name: "after its result an attempt may bring stage completed, and nothing else",
    steps: [
      append(result(a), "stored 1"),
      append(status(a), "attempt_ended 0"),
      append(result(a), "attempt_ended 0"),
      append(fault(a), "attempt_ended 0"),
      append(failed(a), "attempt_ended 0"),
      append([completed(a), completed(a)], "stored 2-3"),
      append([completed(a), status(a)], "attempt_ended 1"),
    ],
    leaves: { offset: 3, status: 3, terminal: 1, attempt: "a", stages: ["completed 2"] },
  },
  {
    name: "after its error an attempt may bring stage failed, and nothing else",
    steps: [
      append(fault(a), "stored 1"),
      append(status(a), "attempt_ended 0"),
      append(fault(a), "attempt_ended 0"),
      append(result(a), "attempt_ended 0"),
      append(completed(a), "attempt_ended 0"),
      append(failed(a), "stored 2"),
    ],
    leaves: { offset: 2, status: 2, terminal: 2, attempt: "a", stages: ["failed 2"] },
  },
  {
    name: "after stage failed an attempt may bring its error, and nothing else",
    steps: [
      append([status(a), failed(a)], "stored 1-2"),
      append(status(a), "attempt_ended 0"),
      append(failed(a), "attempt_ended 0"),
      append(result(a), "attempt_ended 0"),
      append(completed(a), "attempt_ended 0"),
      append(fault(a), "stored 3"),
    ],
    leaves: { offset: 3, status: 2, terminal: 3, attempt: "a", stages: ["model_inference 1", "failed 2"] },
  },
  {
    name: "after a result of any data an attempt may bring stage completed, and nothing else",
    steps: [
      append(dataResult(a), "stored 1"),
      append(status(a), "attempt_ended 0"),
      append(dataResult(a), "attempt_ended 0"),
      append(cancelled(a), "attempt_ended 0"),
      append([completed(a), completed(a)], "stored 2-3"),
    ],
    leaves: { offset: 3, status: 3, terminal: 1, attempt: "a", stages: ["completed 2"] },
  },
  {
    name: "after stage cancelled an attempt may bring nothing",
    steps: [
      append([status(a), cancelled(a)], "stored 1-2"),
      append(status(a), "attempt_ended 0"),
      append(completed(a), "attempt_ended 0"),
      append(cancelled(a), "attempt_ended 0"),
      append(fault(a), "attempt_ended 0"),
      append(failed(a), "attempt_ended 0"),
      append(dataResult(a), "attempt_ended 0"),
      append(status(b), "stored 3"),
    ],
    leaves: { offset: 3, status: 3, attempt: "b", stages: ["model_inference 3"], reopening: [3] },
  },
  {
    name: "neither half of a failure may come after stage cancelled or before it",
    steps: [
      append(fault(a), "stored 1"),
      append(cancelled(a), "attempt_ended 0"),
      append(failed(a), "stored 2"),
      append(cancelled(a), "attempt_ended 0"),
    ],
    leaves: { offset: 2, status: 2, terminal: 2, attempt: "a", stages: ["failed 2"] },
  },
  {
    name: "the end of an attempt ends it within its request, and stage completed alone does not",
    steps: [
      append([completed(a), status(a), result(a), status(a)], "attempt_ended 3"),
      append([completed(a), status(a), result(a)], "stored 1-3"),
    ],
    leaves: { offset: 3, status: 2, terminal: 3, attempt: "a", stages: ["completed 1", "model_inference 2"] },
  },
  {
    name: "an event without an attempt belongs to none: it is never refused, and ends no attempt",
    steps: [
      append(status(a), "stored 1"),
      append(result(), "stored 2"),
      append(status({ stage: "x" }), "stored 3"),
      append(status(a), "stored 4"),
      append(result(a), "stored 5"),
      append(status({ stage: "x" }), "stored 6"),
      append(status(a), "attempt_ended 0"),
    ],
    leaves: { offset: 6, status: 6, attempt: "a", stages: ["x 6"], reopening: [3, 6] },
  },
  {
    name: "a new attempt is not bound by the end of the one before",
    steps: [append([fault(a), status(b), result(b), completed(b)], "stored 1-4")],
    leaves: {
      offset: 4,
      status: 4,
      terminal: 3,
      attempt: "b",
      stages: ["model_inference 2", "completed 4"],
      reopening: [2],
    },
  },
  {
    name: "the oldest of too many attempts is forgotten, and may begin again",
    size: 1,
    steps: [
      append(many.slice(0, 500), "stored 1-500"),
      append(many.slice(500, 1_000), "stored 501-1000"),
      append(many.slice(1_000), `stored 1001-${many.length}`),
      append(status({ attemptId: "1", stage: "s" }), "attempt_superseded 0"),
      append(status({ attemptId: `${PAST_ATTEMPTS_KEPT}`, stage: "s" }), "attempt_superseded 0"),
      append(status({ attemptId: "0", stage: "s" }), `stored ${afterMany}`),
    ],
    leaves: {
      ...{ offset: afterMany, status: afterMany, attempt: "0", stages: [`s ${afterMany}`] },
      ...{ reopening: [many.length, afterMany], oldestKept: many.length },
    },
  },
];
