import { mostKept } from "../../src/domain/channel-record.ts";
import { STAGE_MARKS_KEPT } from "../../src/domain/stages.ts";
import {
  cancelled,
  completed,
  dataResult,
  failed,
  fault,
  notice,
  result,
  status,
} from "../../src/testing/encoded-events.ts";
import { append, type Course } from "./course.ts";

const at = (stage: string) => status({ stage });
const flips = (count: number) => Array.from({ length: count }, (_, n) => at(n % 2 === 0 ? "one" : "two"));

/** Numbering, the current terminal event, reopening, stage marks, and the trimming of both. */
export const RECORD_COURSES: readonly Course[] = [
  {
    name: "events are numbered 1, 2, 3 over requests of several events",
    steps: [
      append(at("uploading"), "stored 1"),
      append([at("uploading"), at("uploading"), at("uploading")], "stored 2-4"),
      append(at("uploading"), "stored 5"),
    ],
    leaves: { offset: 5, status: 5, stages: ["uploading 1"] },
  },
  {
    name: "the last terminal event is the current one, of whichever kind",
    steps: [
      append(result(), "stored 1"),
      append(fault(), "stored 2"),
      append(failed(), "stored 3"),
      append(result(), "stored 4"),
    ],
    leaves: { offset: 4, status: 3, terminal: 4, stages: ["failed 3"] },
  },
  {
    name: "stage cancelled and a result of any data are terminal events as the others",
    steps: [
      append(result(), "stored 1"),
      append(cancelled(), "stored 2"),
      append(dataResult(), "stored 3"),
      append(at("queued"), "stored 4"),
      append(cancelled(), "stored 5"),
      append(completed(), "stored 6"),
    ],
    leaves: {
      ...{ offset: 6, status: 6, terminal: 5, reopening: [4] },
      stages: ["queued 4", "cancelled 5", "completed 6"],
    },
  },
  {
    name: "a status after a terminal event reopens the analysis",
    steps: [append([at("uploading"), fault()], "stored 1-2"), append(at("uploading"), "stored 3")],
    leaves: { offset: 3, status: 3, stages: ["uploading 3"], reopening: [3] },
  },
  {
    name: "a status reopens the analysis if the terminal event is of the same request",
    steps: [append([result(), at("uploading"), fault(), at("uploading"), at("other")], "stored 1-5")],
    leaves: { offset: 5, status: 5, stages: ["uploading 4", "other 5"], reopening: [2, 4] },
  },
  {
    name: "stage completed, stage failed and a notice reopen nothing",
    steps: [
      append([at("uploading"), result()], "stored 1-2"),
      append(completed(), "stored 3"),
      append(notice(), "stored 4"),
    ],
    leaves: { offset: 4, status: 3, terminal: 2, stages: ["uploading 1", "completed 3"] },
  },
  {
    name: "a status reopens only once",
    steps: [append([fault(), at("uploading"), at("uploading"), at("other")], "stored 1-4")],
    leaves: { offset: 4, status: 4, stages: ["uploading 2", "other 4"], reopening: [2] },
  },
  {
    name: "a new attempt reopens an analysis that has events, terminal or not, and takes its marks",
    steps: [
      append(at("uploading"), "stored 1"),
      append(status({ stage: "uploading", attemptId: "a" }), "stored 2"),
      append(status({ stage: "uploading", attemptId: "a" }), "stored 3"),
    ],
    leaves: { offset: 3, status: 3, attempt: "a", stages: ["uploading 2"], reopening: [2] },
  },
  {
    name: "an attempt that begins the channel reopens nothing",
    steps: [append(status({ stage: "uploading", attemptId: "a" }), "stored 1")],
    leaves: { offset: 1, status: 1, attempt: "a", stages: ["uploading 1"] },
  },
  {
    name: "a terminal event that begins an attempt reopens, and is the current one",
    steps: [append(fault({ attemptId: "a" }), "stored 1"), append(result({ attemptId: "b" }), "stored 2")],
    leaves: { offset: 2, terminal: 2, attempt: "b", reopening: [2] },
  },
  {
    name: "a stage is marked when it changes, and events without a stage change nothing",
    steps: [
      append([at("a"), at("a"), notice(), at("a"), at("b")], "stored 1-5"),
      append([at("b"), at("a"), completed()], "stored 6-8"),
    ],
    leaves: { offset: 8, status: 8, stages: ["a 1", "b 5", "a 7", "completed 8"] },
  },
  {
    name: "as many marks are kept as may be",
    steps: [append(flips(STAGE_MARKS_KEPT), `stored 1-${STAGE_MARKS_KEPT}`)],
    leaves: {
      offset: STAGE_MARKS_KEPT,
      status: STAGE_MARKS_KEPT,
      stages: flips(STAGE_MARKS_KEPT).map(({ stage }, index) => `${stage} ${index + 1}`),
    },
  },
  {
    name: "beyond that the oldest mark is dropped, within one request and over several",
    steps: [
      append(flips(STAGE_MARKS_KEPT + 1), `stored 1-${STAGE_MARKS_KEPT + 1}`),
      append([at("one"), at("two")], `stored ${STAGE_MARKS_KEPT + 2}-${STAGE_MARKS_KEPT + 3}`),
    ],
    leaves: {
      offset: STAGE_MARKS_KEPT + 3,
      status: STAGE_MARKS_KEPT + 3,
      stages: [...flips(STAGE_MARKS_KEPT + 1), undefined, at("two")]
        .map((event, index) => `${event?.stage} ${index + 1}`)
        .filter((mark) => !mark.startsWith("undefined"))
        .slice(-STAGE_MARKS_KEPT),
    },
  },
  {
    name: "a history of a few events holds as many again before it is trimmed",
    size: 3,
    steps: [append([fault(), ...flips(5)], "stored 1-6")],
    leaves: {
      ...{ offset: 6, status: 6, reopening: [2] },
      stages: ["one 2", "two 3", "one 4", "two 5", "one 6"],
    },
  },
  {
    name: "trimming leaves the newest events, and takes nothing from the state",
    size: 3,
    steps: [
      append([at("a"), result(), ...Array(4).fill(notice())], "stored 1-6"),
      append(notice(), "stored 7"),
    ],
    leaves: { offset: 7, status: 1, terminal: 2, stages: ["a 1"], oldestKept: 5 },
  },
  {
    name: "a large history is trimmed when it holds the most that it may, and one more",
    size: 250,
    steps: [
      append(Array(mostKept(250)).fill(notice()), `stored 1-${mostKept(250)}`),
      append(Array(2).fill(notice()), `stored ${mostKept(250) + 1}-${mostKept(250) + 2}`),
    ],
    leaves: { offset: mostKept(250) + 2, oldestKept: mostKept(250) + 2 - 250 + 1 },
  },
  {
    name: "a large history is left as it is while it holds the most that it may",
    size: 250,
    steps: [append(Array(450).fill(notice()), "stored 1-450")],
    leaves: { offset: 450 },
  },
];
