import { type AttemptRefusal, PAST_ATTEMPTS_KEPT, SECOND_HALF } from "../../domain/attempts.ts";
import {
  EVENT_KINDS,
  type EventKind,
  isStatusKind,
  isTerminalKind,
  reopens,
  type TerminalKind,
} from "../../domain/event-kind.ts";
import { EVENT_ID_START } from "../../domain/event-position.ts";
import { OWN } from "../../domain/occurrence.ts";
import { STAGE_MARKS_KEPT } from "../../domain/stages.ts";
import { STAMPS_OF_DIGITS } from "../broker/append-stamp.ts";
import { CANCEL_FLAG, flagOf, storedFlagOf, VIEWERS_FLAG } from "./stored-format.ts";

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
  ["SECOND_HALF", table(EVENT_KINDS.filter(isTerminalKind), secondHalf)],
  ["STORED_FLAG", table(EVENT_KINDS, (kind) => quoted(storedFlagOf(kind)))],
  ["SUPERSEDED", quoted("attempt_superseded" satisfies AttemptRefusal)],
  ["ENDED", quoted("attempt_ended" satisfies AttemptRefusal)],
  ["EVENT_ID_START", quoted(EVENT_ID_START)],
  ["OWN", quoted(OWN)],
  ["CANCEL_FLAG", quoted(CANCEL_FLAG)],
  ["VIEWERS_FLAG", quoted(VIEWERS_FLAG)],
  ["STAMPS_OF_DIGITS", stamps()],
]);

function table<Kind extends EventKind>(kinds: readonly Kind[], value: (kind: Kind) => string): string {
  return `{ ${kinds.map((kind) => `${flagOf(kind)} = ${value(kind)}`).join(", ")} }`;
}

function secondHalf(kind: TerminalKind): string {
  const second = SECOND_HALF[kind];
  return second === undefined ? "nil" : quoted(flagOf(second));
}

function stamps(): string {
  return `{ ${STAMPS_OF_DIGITS.map((stamp, digit) => `['${digit.toString(16)}'] = ${quoted(stamp.replaceAll("\t", "\\t"))}`).join(", ")} }`;
}

function quoted(text: string): string {
  return `'${text}'`;
}
