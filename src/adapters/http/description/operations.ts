import { json, type Operation, TEXT } from "./operation.ts";
import { EVENT_TYPE } from "./parameters.ts";
import { PUBLISHING } from "./publishing-operations.ts";
import { WATCHING } from "./watching-operations.ts";

/** Every route of a gateway without its demo. */
export const OPERATIONS: readonly Operation[] = [
  ...PUBLISHING,
  ...WATCHING,
  {
    method: "get",
    path: "/health",
    id: "health",
    tag: "Operations",
    needs: "nothing",
    summary: "Says that the process is alive.",
    answers: { 200: { description: "Alive.", content: json("Alive") } },
  },
  {
    method: "get",
    path: "/ready",
    id: "readiness",
    tag: "Operations",
    needs: "nothing",
    summary: "Says whether the gateway should get new clients.",
    answers: {
      200: { description: "Ready.", content: json("Readiness") },
      503: { description: "Not ready, with the reason.", content: json("Readiness") },
    },
  },
  {
    method: "get",
    path: "/ws/health",
    id: "socketHealth",
    tag: "Operations",
    needs: "nothing",
    summary: "Shows the broker, the inbox and the connections.",
    answers: { 200: { description: "How the gateway does.", content: json("Health") } },
  },
  {
    method: "get",
    path: "/metrics",
    id: "metrics",
    tag: "Operations",
    needs: "nothing",
    summary: "Has the metrics for Prometheus, if METRICS is `on`.",
    answers: { 200: { description: "The metrics.", content: { "text/plain": TEXT } } },
  },
  {
    method: "get",
    path: "/schemas/{file}",
    id: "eventSchema",
    tag: "Descriptions",
    needs: "nothing",
    parameters: [EVENT_TYPE],
    summary: "Has the JSON Schema of an event that may be published.",
    answers: {
      200: { description: "The schema.", content: { "application/schema+json": { type: "object" } } },
    },
    problems: ["not_found"],
  },
  {
    method: "get",
    path: "/client.js",
    id: "clientScript",
    tag: "Descriptions",
    needs: "nothing",
    summary: "Is the library for browsers as one ES module.",
    answers: {
      200: { description: "The module.", content: { "text/javascript": TEXT } },
      304: { description: "The client has it." },
    },
    problems: ["not_found"],
  },
  ...(["openapi", "asyncapi"] as const).flatMap((name): Operation[] => [
    {
      method: "get",
      path: `/${name}.json`,
      id: `${name}Document`,
      tag: "Descriptions",
      needs: "nothing",
      summary: `Describes the gateway for programs (${name}).`,
      answers: { 200: { description: "The document.", content: { "application/json": { type: "object" } } } },
    },
    {
      method: "get",
      path: `/${name}`,
      id: `${name}Page`,
      tag: "Descriptions",
      needs: "nothing",
      summary: `Is the same for people (${name}).`,
      answers: { 200: { description: "A page.", content: { "text/html": TEXT } } },
    },
  ]),
];
