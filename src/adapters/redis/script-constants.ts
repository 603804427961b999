import { type AttemptRefusal, PAST_ATTEMPTS_KEPT, SECOND_HALF } from "../../domain/attempts.ts";
import {
  EVENT_KINDS,
  type EventKind,
  isStatusKind,
  isTerminalKind,
  reopens,
} from "../../domain/event-kind.ts";
import { EVENT_ID_START } from "../../domain/event-position.ts";
import { OWN } from "../../domain/occurrence.ts";
import { STAGE_MARKS_KEPT } from "../../domain/stages.ts";
import { flagOf, VIEWERS_FLAG } from "./stored-format.ts";

/**
 * Gives a script the constants that it shares with the domain. A line `-- CONSTANTS A B` becomes one line of Lua that
 * declares `A` and `B`. Throws if a script asks for a constant that is not here.
 */
export function withConstants(script: string): string {
  return script.replace(/^-- CONSTANTS (.+)$/gm, (_, names: string) =>
    names.split(" ").map(declared).join(" "),
  );
}

function declared(name: string): string {
  const value = CONSTANTS.get(name);
  if (value === undefined) throw new Error(`no script may use the constant ${name}`);
  return `local ${name} = ${value}`;
}

/** Their values in Lua. Kinds of events are written as their flags. */
const CONSTANTS: ReadonlyMap<string, string> = new Map([
  ["STAGE_MARKS_KEPT", `${STAGE_MARKS_KEPT}`],
  ["PAST_ATTEMPTS_KEPT", `${PAST_ATTEMPTS_KEPT}`],
  ["TERMINAL", table(EVENT_KINDS.filter(isTerminalKind), () => "true")],
  ["STATUS", table(EVENT_KINDS.filter(isStatusKind), () => "true")],
  ["REOPENS", table(EVENT_KINDS.filter(reopens), () => "true")],
  ["SECOND_HALF", table(EVENT_KINDS.filter(isTerminalKind), (kind) => quoted(flagOf(SECOND_HALF[kind])))],
  ["SUPERSEDED", quoted("attempt_superseded" satisfies AttemptRefusal)],
  ["ENDED", quoted("attempt_ended" satisfies AttemptRefusal)],
  ["EVENT_ID_START", quoted(EVENT_ID_START)],
  ["OWN", quoted(OWN)],
  ["VIEWERS_FLAG", quoted(VIEWERS_FLAG)],
]);

function table<Kind extends EventKind>(kinds: readonly Kind[], value: (kind: Kind) => string): string {
  return `{ ${kinds.map((kind) => `${flagOf(kind)} = ${value(kind)}`).join(", ")} }`;
}

function quoted(text: string): string {
  return `'${text}'`;
}
