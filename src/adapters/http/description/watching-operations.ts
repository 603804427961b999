import { ref } from "./components.ts";
import { BROKER, json, type Operation, STORING, TEXT } from "./operation.ts";
import {
  AFTER,
  ANALYSES,
  LAST_EVENT_ID,
  LIMIT,
  STREAM_WAIT,
  WAIT,
  WATCHING as WATCH_QUERY,
} from "./parameters.ts";

const STREAM = { "text/event-stream": TEXT };
const READING = [
  "unauthenticated",
  "not_allowed",
  "not_declared",
  "origin_not_allowed",
  "too_many_connections",
  "over_capacity",
  ...BROKER,
] as const;

export const WATCHING: readonly Operation[] = [
  {
    method: "post",
    path: "/v1/analyses/{id}/cancel",
    id: "cancelAnalysis",
    tag: "Watching",
    needs: "analysis:cancel",
    summary: "Asks the worker to end an analysis.",
    body: { schema: ref("CancelWish"), required: false },
    answers: { 202: { description: "The request is in force.", content: json("CancelAnswer") } },
    problems: [
      ...STORING,
      "not_an_analysis_id",
      "not_declared",
      "already_ended",
      "invalid_request",
      "not_implemented",
    ],
  },
  {
    method: "get",
    path: "/v1/analyses/{id}",
    id: "readAnalysis",
    tag: "Watching",
    needs: "watch",
    summary: "Reads the state of an analysis: all its events, folded.",
    answers: {
      200: {
        description: "The state; status `unknown` if nobody has heard of it.",
        content: json("AnalysisStateObject"),
      },
    },
    problems: [...READING, "not_an_analysis_id", "outcome_unknown"],
  },
  {
    method: "get",
    path: "/v1/analyses/{id}/events",
    id: "readEvents",
    tag: "Watching",
    needs: "watch",
    summary: "Reads a page of events, waits for the next, or with `Accept: text/event-stream` watches.",
    parameters: [AFTER, LIMIT, WAIT, ...WATCH_QUERY, LAST_EVENT_ID],
    answers: {
      200: { description: "A page, or a stream of events.", content: { ...json("EventPage"), ...STREAM } },
      204: { description: "The client of a stream with `until=terminal` has seen the end." },
    },
    problems: [...READING, "not_an_analysis_id", "invalid_query", "position_gone", "outcome_unknown"],
  },
  {
    method: "get",
    path: "/v1/events",
    id: "watchMany",
    tag: "Watching",
    needs: "watch",
    summary: "Watches up to 100 analyses as one stream of server-sent events.",
    parameters: [ANALYSES, STREAM_WAIT, ...WATCH_QUERY, LAST_EVENT_ID],
    answers: {
      200: { description: "A stream of events.", content: STREAM },
      204: {
        description: "The client of a stream with `until=terminal` has seen the end of every analysis.",
      },
    },
    problems: [...READING, "invalid_query", "invalid_request"],
  },
  {
    method: "get",
    path: "/ws/analysis/{id}",
    id: "watchSocket",
    tag: "Watching",
    needs: "watch",
    parameters: WATCH_QUERY,
    summary: "Watches one analysis over a WebSocket: see `/asyncapi.json`.",
    answers: { 101: { description: "The WebSocket is open; a refusal closes it with its code." } },
    problems: ["upgrade_required"],
  },
  {
    method: "get",
    path: "/ws",
    id: "watchManySocket",
    tag: "Watching",
    needs: "watch",
    parameters: WATCH_QUERY.filter(({ name }) => name !== "replay" && name !== "last_event_id"),
    summary: "Watches many analyses over one WebSocket: see `/asyncapi.json`.",
    answers: { 101: { description: "The WebSocket is open; a refusal closes it with its code." } },
    problems: ["upgrade_required"],
  },
];
