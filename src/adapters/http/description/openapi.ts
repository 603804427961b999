import type { EventRules } from "../../../domain/event-rules.ts";
import { type ProblemCode, statusOf } from "../problem.ts";
import { ref, type Schema, schemas } from "./components.ts";
import type { Operation } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";
import { ANALYSIS_ID } from "./parameters.ts";

/** Refusals that every route may answer. */
const ALWAYS: readonly ProblemCode[] = ["bad_host", "internal"];

/** The description of everything over HTTP as OpenAPI 3.1, with the rules in force. */
export function openApi(rules: EventRules, version: string): Schema {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const operation of OPERATIONS)
    paths[operation.path] = { ...paths[operation.path], [operation.method]: described(operation) };
  return {
    openapi: "3.1.0",
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    info: {
      title: "Telltale",
      version,
      description:
        "Tells people, live, how a long-running analysis is doing. WebSockets are described in `asyncapi.json`.",
      license: { name: "See the package" },
    },
    // Relative to the document, which may be served below any path.
    servers: [{ url: "./" }],
    tags: [
      { name: "Publishing", description: "For workers and their backends." },
      { name: "Watching", description: "For pages and programs that follow an analysis." },
      { name: "Operations", description: "For balancers and operators." },
      { name: "Descriptions", description: "For tools and pages." },
    ],
    paths,
    components: {
      schemas: schemas(rules),
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        query: { type: "apiKey", in: "query", name: "token" },
        cookie: { type: "apiKey", in: "cookie", name: "access_token" },
      },
    },
  };
}

function described(operation: Operation): Schema {
  const { id, tag, summary, needs, path, parameters = [], body, answers, problems = [] } = operation;
  const ofPath = path.includes("{id}") ? [ANALYSIS_ID] : [];
  const given = [...ofPath, ...parameters];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(needs !== "nothing" && needs !== "watch" && { description: `Needs the scope \`${needs}\`.` }),
    security: SECURITY[needs === "nothing" || needs === "watch" ? needs : "scope"],
    ...(given.length > 0 && { parameters: given }),
    ...(body !== undefined && {
      requestBody: { required: body.required, content: { "application/json": { schema: body.schema } } },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, { description, content }]) => [
          status,
          { description, ...(content !== undefined && { content: contentOf(content) }) },
        ]),
      ),
      ...refusals([...ALWAYS, ...problems], answers),
    },
  };
}

const SECURITY = {
  nothing: [],
  scope: [{ bearer: [] }],
  watch: [{ bearer: [] }, { query: [] }, { cookie: [] }],
};

function contentOf(content: Readonly<Record<string, Schema>>): Schema {
  return Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema }]));
}

/** The problems by their status: several codes share one. */
function refusals(codes: readonly ProblemCode[], answers: Operation["answers"]): Schema {
  const byStatus = Map.groupBy(new Set(codes), statusOf);
  return Object.fromEntries(
    [...byStatus]
      .filter(([status]) => !(status in answers))
      .map(([status, of]) => [
        status,
        {
          description: of.map((code) => `\`${code}\``).join(", "),
          content: { "application/problem+json": { schema: ref("Problem") } },
          ...([429, 503].includes(status) && { headers: RETRY_AFTER }),
        },
      ]),
  );
}

const RETRY_AFTER = { "Retry-After": { description: "Seconds.", schema: { type: "integer" } } };
