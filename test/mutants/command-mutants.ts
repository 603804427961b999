import type { Mutant } from "./mutants.ts";

const IN_FORCE = "test/unit/gateway/config/in-force.test.ts";
const IN_TEXT = "test/unit/gateway/commands/run/progress-in-text.test.ts";
const CHILD_OUTPUT = "test/unit/gateway/commands/run/child-output.test.ts";
const ANALYSIS = "test/unit/client/analysis.test.ts";
const FAULTS = "test/unit/client/analysis-faults.test.ts";
const OUTPUT = "test/unit/gateway/commands/watch-output.test.ts";

/** Faults in the commands of the program. */
export const COMMAND_MUTANTS: readonly Mutant[] = [
  {
    name: "shows the password of REDIS_PASSWORD at telltale config",
    file: "src/gateway/config/in-force.ts",
    find: "/KEY|PASSWORD|SECRET|CREDS|TOKEN/",
    replace: "/KEY|SECRET|CREDS|TOKEN/",
    killers: [IN_FORCE],
  },
  {
    name: "shows the password of an address at telltale config",
    file: "src/gateway/config/in-force.ts",
    find: "withoutCredentials(value).split",
    replace: "value.split",
    killers: [IN_FORCE],
  },
  {
    name: "shows a setting without effect at telltale config as if it had one",
    file: "src/gateway/config/settings.ts",
    find: "return this.#inForce.has(name) ?",
    replace: "return this.#inForce.has(name) || this.isSet(name) ?",
    killers: [IN_FORCE],
  },
  {
    name: "gives a terminal at telltale watch the control characters that a worker wrote",
    file: "src/gateway/commands/watch/progress-line.ts",
    find: "cut(printable(text), left)",
    replace: "cut(text, left)",
    killers: [OUTPUT],
  },
  {
    name: "gives a terminal at telltale watch --json what it would obey",
    file: "src/gateway/commands/watch/watch-output.ts",
    find: "printableJson(text)",
    replace: "text",
    killers: [OUTPUT],
  },
  {
    name: "takes a carriage return for the end of a line at telltale publish",
    file: "src/gateway/commands/event-lines.ts",
    find: "[0x0a, 0x0d]",
    replace: "[0x0d, 0x0a]",
    killers: ["test/unit/gateway/commands/event-lines.test.ts"],
  },
  {
    name: "shows the users of the servers but the last at telltale config",
    file: "src/gateway/config/hidden-credentials.ts",
    find: 'users.includes("@") ? users.split(",") : [users]',
    replace: "[users]",
    killers: [IN_FORCE],
  },
  {
    name: "writes escape codes in spite of NO_COLOR",
    file: "src/gateway/commands/watch/progress-line.ts",
    find: "style.color && color",
    replace: "color",
    killers: [OUTPUT],
  },
  {
    name: "estimates the end of an analysis that began anew by its first run",
    file: "src/gateway/commands/watch/time-left.ts",
    find: "this.#begun = undefined;",
    replace: "",
    killers: ["test/unit/gateway/commands/time-left.test.ts"],
  },
  {
    name: "writes at telltale watch --json every event again on coming back",
    file: "src/gateway/commands/watch/every-event.ts",
    find: 'if (asked !== undefined && asked !== "0")',
    replace: "if (false)",
    killers: ["test/unit/gateway/commands/every-event.test.ts"],
  },
  {
    name: "takes a date for counts at telltale run",
    file: "src/gateway/commands/run/progress-in-text.ts",
    find: "(?<![\\w./-])(\\d{1,15})",
    replace: "(\\d{1,15})",
    killers: [IN_TEXT],
  },
  {
    name: "forgets at telltale run the longest input of ffmpeg",
    file: "src/gateway/commands/run/progress-in-text.ts",
    find: "duration = Math.max(duration, secondsOf(named))",
    replace: "duration = secondsOf(named) / 2",
    killers: [IN_TEXT],
  },
  {
    name: "publishes at telltale run the event of another analysis as its own",
    file: "src/gateway/commands/run/child-output.ts",
    find: "parseAnalysisId(named) !== this.#analysis.id",
    replace: "parseAnalysisId(named) === undefined",
    killers: [CHILD_OUTPUT],
  },
  {
    name: "reads at telltale run progress in a file that the program writes",
    file: "src/gateway/commands/run/child-output.ts",
    find: "if (!isText(end)) return;",
    replace: "",
    killers: [CHILD_OUTPUT],
  },
  {
    name: "sends each report of a worker whose stages take turns",
    file: "src/client/report-throttle.ts",
    find: "if (this.#changes < 1) return false;",
    replace: "",
    killers: [ANALYSIS],
  },
  {
    name: "takes at telltale run a bar that was written over for a line",
    file: "src/gateway/commands/run/output-lines.ts",
    find: 'end[0] !== "\\r"',
    replace: "true",
    killers: [CHILD_OUTPUT],
  },
  {
    name: "asks a status_update in its schema for progress beside its counts",
    file: "src/domain/event-schema.ts",
    find: 'required: required.filter((name) => name !== "progress"),',
    replace: "required,",
    killers: ["test/unit/docs/event-schema.test.ts"],
  },
  {
    name: "sends a report after the end of the analysis, which opens it again",
    file: "src/client/analysis.ts",
    find: "if (this.hasEnded) return;\n      const at",
    replace: "const at",
    killers: [ANALYSIS],
  },
  {
    name: "loses the last report of a stage",
    file: "src/client/report-throttle.ts",
    find: "this.#waiting.stage !== item.stage",
    replace: "false",
    killers: [ANALYSIS],
  },
  {
    name: "gives a try of the same events another key",
    file: "src/client/event-outbox.ts",
    find: "this.#options.way.send(events, key)",
    replace: "this.#options.way.send(events, crypto.randomUUID())",
    killers: [ANALYSIS],
  },
  {
    name: "drops the end of an analysis if too many events wait",
    file: "src/client/waiting-events.ts",
    find: "if (oldest === -1) break;\n      this.#remove(oldest, 1);",
    replace: "if (oldest === -1) break;\n      this.#remove(this.#events.length - 1, 1);",
    killers: [ANALYSIS],
  },
  {
    name: "leaves an analysis without an end whose result was refused",
    file: "src/client/event-outbox.ts",
    find: "else this.#waiting.putBack([instead]);",
    replace: "",
    killers: [ANALYSIS],
  },
  {
    name: "sends a report that waits although somebody else tells of the analysis",
    file: "src/client/waiting-events.ts",
    find: "const kept = this.#takesStatuses ? events : events.filter(isEnd);",
    replace: "const kept = events;",
    killers: [FAULTS],
  },
  {
    name: "takes a refused event for a sign of life",
    file: "src/client/event-outbox.ts",
    find: 'if (answer.type !== "accepted") return;\n    this.#toldAt',
    replace:
      'this.#toldAt = this.#options.clock.now();\n    if (answer.type !== "accepted") return;\n    this.#toldAt',
    killers: [FAULTS],
  },
  {
    name: "sends an error after the result of a worker without an attempt",
    file: "src/client/first-end.ts",
    find: "OTHER_HALF[this.#said] !== end",
    replace: "false",
    killers: [FAULTS],
  },
];
