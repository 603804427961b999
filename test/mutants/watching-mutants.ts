import type { Mutant } from "./mutants.ts";

const STATE = ["test/unit/session/replay-of-state.test.ts"];
const MARKERS = ["test/unit/session/markers.test.ts"];
const DESCRIBED = ["test/unit/adapters/http/descriptions.test.ts"];
const MANY = ["test/unit/adapters/http/many-streams.test.ts"];
const STRICT = ["test/unit/session/strict-resume.test.ts"];

const TABS = ["test/unit/client/tabs/token-check.test.ts"];

/** Faults of the replay of a state, of markers and of strict positions. */
export const WATCHING_MUTANTS: readonly Mutant[] = [
  {
    name: "sends the latest events in place of the state after a lost history",
    file: "src/application/fan-out/delivery.ts",
    find: 'mode === "state" || ',
    replace: "",
    killers: STATE,
  },
  {
    name: "sends what the state holds once more, if the node hears of it later",
    file: "src/application/fan-out/prepared-replay.ts",
    find: "placeAfter(frame.position, feed, held)",
    replace: "held",
    killers: ["test/unit/application/resume.test.ts"],
  },
  {
    name: "does not end with the state of an analysis that has ended",
    file: "src/application/fan-out/delivery.ts",
    find: "this.#hasCurrentTerminal = event.hasEnded;",
    replace: "this.#hasCurrentTerminal = false;",
    killers: STATE,
  },
  {
    name: "marks the end of the first replay alone",
    file: "src/application/fan-out/delivery.ts",
    find: "    this.#isCaughtUp = false;\n",
    replace: "",
    killers: MARKERS,
  },
  {
    name: "tells a position that was not sent yet",
    file: "src/application/fan-out/delivery.ts",
    find: "    return this.#position;\n",
    replace: "    return this.#replays?.latest.position;\n",
    killers: MARKERS,
  },
  {
    name: "replays afresh though the position is gone and resume=strict",
    file: "src/session/one-analysis.ts",
    find: "if (!this.#query.strict || this.resumed !== false) return true;",
    replace: "return true;",
    killers: STRICT,
  },
  {
    name: "gives an event of many analyses the position of its own alone",
    file: "src/adapters/http/sse/sse-connection.ts",
    find: "this.#position === undefined ? sseBlock(frame)",
    replace: "this.#position !== null ? sseBlock(frame)",
    killers: MANY,
  },
  {
    name: "takes the position of another set of analyses for a good one",
    file: "src/domain/combined-position.ts",
    find: "set !== this.#set || ",
    replace: "",
    killers: ["test/unit/domain/combined-position.test.ts"],
  },
  {
    name: "ends a stream with the first of its analyses",
    file: "src/session/sse-many-session.ts",
    find: "this.#left.size === 0 && ",
    replace: "",
    killers: MANY,
  },
  {
    name: "leaves an analysis out of its stream for good that was refused for now",
    file: "src/session/sse-many-session.ts",
    find: '  "not_declared",\n',
    replace: "",
    killers: MANY,
  },
  {
    name: "ends a stream that waits before the replays of all its analyses are sent",
    file: "src/session/stream-wait.ts",
    find: "!this.#hasNews || this.#replaying.size > 0",
    replace: "!this.#hasNews",
    killers: ["test/unit/session/stream-wait.test.ts"],
  },
  {
    name: "does not notice that one stream of a page has gone silent while another goes on",
    file: "src/client/watch/event-stream-transport.ts",
    find: 'environment.after(SILENT_MS, () => fail({ message: "the link went silent" }))',
    replace: "() => {}",
    killers: ["test/unit/client/watch/transports.test.ts"],
  },
  {
    name: "leaves a route out of its description",
    file: "src/adapters/http/description/operations.ts",
    find: "  ...WATCHING,\n",
    replace: "  ...WATCHING.slice(1),\n",
    killers: DESCRIBED,
  },
  {
    name: "asks a client to come back though it must not",
    file: "src/domain/close-code.ts",
    find: 'closeCodeOf(close.code)?.reconnect !== "no"',
    replace: "true",
    killers: ["test/unit/adapters/http/event-stream.test.ts"],
  },
  {
    name: "lets a tab go on whose token the gateway refuses",
    file: "src/client/tabs/token-check.ts",
    find: 'code === 4003 || problem === "not_an_analysis_id"',
    replace: "problem !== undefined && code !== 4029",
    killers: TABS,
  },
  {
    name: "judges the token of a tab once for good",
    file: "src/client/tabs/token-check.ts",
    find: "void take(token, () => {})",
    replace: "{}",
    killers: TABS,
  },
];
