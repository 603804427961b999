import type { Mutant } from "./mutants.ts";

const METER = ["test/unit/application/delivery-meter.test.ts"];
const SESSIONS = ["test/unit/session/counted-connections.test.ts"];
const HTTP = ["test/unit/adapters/http/counted-refusals.test.ts"];
const EXPOSITION = ["test/unit/adapters/telemetry/prometheus-exposition.test.ts"];

/** The places that count, each broken: an operator would be told something else than what happened. */
export const METRICS_MUTANTS: readonly Mutant[] = [
  {
    name: "counts an event for a socket that broke",
    file: "src/application/fan-out/connection-writer.ts",
    find: "    if (this.gone) return;\n    if (appendedAt",
    replace: "    if (appendedAt",
    killers: METER,
  },
  {
    name: "measures a replay as if it were live",
    file: "src/application/fan-out/connection-writer.ts",
    find: "if (appendedAt === undefined) this.meter.written(1);",
    replace: "if (appendedAt === undefined) this.meter.delivered(0);",
    killers: METER,
  },
  {
    name: "lets the text that waited for a client count after it went",
    file: "src/application/fan-out/connection-writer.ts",
    find: "    this.#waiting.clear();\n    this.#noteAllWaiting(0);\n  }\n",
    replace: "  }\n",
    killers: METER,
  },
  {
    name: "hands over deliveries again",
    file: "src/application/fan-out/delivery-meter.ts",
    find: "    this.#delivered = this.#conflated = 0;\n",
    replace: "",
    killers: METER,
  },
  {
    name: "puts a delivery above the bound that it reached",
    file: "src/application/fan-out/delivery-meter.ts",
    find: "age > (BOUNDS_MS[place]",
    replace: "age >= (BOUNDS_MS[place]",
    killers: METER,
  },
  {
    name: "counts the end of a connection by its last code",
    file: "src/session/admission.ts",
    find: '    if (this.#state.type === "left") return;\n    this.#noteEnd(code);',
    replace: '    this.#noteEnd(code);\n    if (this.#state.type === "left") return;',
    killers: SESSIONS,
  },
  {
    name: "counts a connection for ever",
    file: "src/application/open-connections.ts",
    find: "    this.#byTransport[connection.transport]--;\n",
    replace: "",
    killers: SESSIONS,
  },
  {
    name: "counts a refused stream twice",
    file: "src/session/session.ts",
    find: 'this.transport !== "websocket" && type !== "watching"',
    replace: "false",
    killers: HTTP,
  },
  {
    name: "writes the path of a refused request to the log",
    file: "src/adapters/http/note-refusals.ts",
    find: "status: context.res.status, analysis }",
    replace: "status: context.res.status, analysis, path: context.req.path }",
    killers: HTTP,
  },
  {
    name: "does not add up the buckets of a histogram",
    file: "src/adapters/telemetry/prometheus-exposition.ts",
    find: "upTo += series.buckets[place] ?? 0;",
    replace: "upTo = series.buckets[place] ?? 0;",
    killers: EXPOSITION,
  },
  {
    name: "shows a counter only once it was used",
    file: "src/adapters/telemetry/prometheus-exposition.ts",
    find: "[...used, ...unused(metric, used)]",
    replace: "[...used]",
    killers: EXPOSITION,
  },
  {
    name: "measures a delivery of the future, if the broker's clock is known less exactly than it is read",
    file: "src/adapters/broker/append-stamp.ts",
    find: "return age < RANGE / 2 ? age : 0;",
    replace: "return age;",
    killers: ["test/unit/adapters/broker/append-stamp.test.ts"],
  },
  {
    name: "leaves the stamp of an append in the text of the event",
    file: "src/adapters/broker/append-stamp.ts",
    find: "return isStamped(text) ? text.slice(0, -BITS) : text;",
    replace: "return text;",
    killers: ["test/unit/adapters/broker/append-stamp.test.ts"],
  },
  {
    name: "tells all clients of a drain at once",
    file: "src/application/drain-connections.ts",
    find: "const spreadMs = batches > 1 ? withinMs : 0;",
    replace: "const spreadMs = 0;",
    killers: ["test/unit/application/drain-connections.test.ts"],
  },
  {
    name: "lets a crowd come back within a second",
    file: "src/application/drain-connections.ts",
    find: "const returnsMs = Math.max(spreadMs, crowdMs, leaving.length * MS_EACH);",
    replace: "const returnsMs = spreadMs;",
    killers: ["test/unit/application/drain-connections.test.ts"],
  },
];
