import type { Mutant } from "./mutants.ts";

const STATE = ["test/unit/session/replay-of-state.test.ts"];
const MARKERS = ["test/unit/session/markers.test.ts"];
const STRICT = ["test/unit/session/strict-resume.test.ts"];

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
];
