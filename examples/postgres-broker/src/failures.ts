import { reasonOf } from "telltale/adapter";
import {
  type BrokerCause,
  type BrokerTrouble,
  BrokerUnavailable,
  NewerFormat,
  OutcomeUnknown,
} from "telltale/ports";

/**
 * PostgreSQL answered a statement with an error, or refused the connection: then the transaction was undone, or never began.
 * An error that ends the connection is none: PostgreSQL may send it after a commit.
 */
export function isAnswer(error: unknown): boolean {
  if (!(error instanceof Error) || !("severity" in error)) return false;
  return error.severity === "ERROR" || ("code" in error && OF_CONNECTING.test(String(error.code)));
}

const OF_CONNECTING = /^(?:28|3D|53300|57P03)/;

/** Why PostgreSQL cannot be used, by the code of the error. */
export function troubleOf(error: unknown): BrokerTrouble {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "42501") return { cause: "permission", permission: "a table or function of the schema" };
  return { cause: CAUSES[code] ?? (isAnswer(error) ? "fault" : "unreachable") };
}

/** The failure of work of which it is known that nothing was and will be stored. */
export function unavailable(error: unknown): Error {
  if (isOurs(error)) return error;
  return new BrokerUnavailable(reasonOf(error), { cause: error, trouble: troubleOf(error) });
}

/** The failure of a write that may have been carried out, unless PostgreSQL itself said that it was not. */
export function unknown(error: unknown): Error {
  if (isAnswer(error) || isOurs(error)) return unavailable(error);
  return new OutcomeUnknown(reasonOf(error), { cause: error, trouble: troubleOf(error) });
}

/** The adapter itself raised it, so the connection is well. */
export function isOurs(error: unknown): error is Error {
  return (
    error instanceof BrokerUnavailable || error instanceof OutcomeUnknown || error instanceof NewerFormat
  );
}

/** The failure of work on connections that were closed. */
export function closed(): Error {
  return new BrokerUnavailable("closed", { trouble: { cause: "closed" } });
}

/** An answer did not come in time. */
export class NoAnswer extends Error {
  readonly code = "NO_ANSWER";
}

const CAUSES: Readonly<Record<string, BrokerCause>> = {
  NO_ANSWER: "silent",
  TT001: "late",
  "28000": "credentials",
  "28P01": "credentials",
  "3D000": "database",
  "25006": "read_only",
  "53100": "disk",
  "53200": "full",
  "53300": "too_many_clients",
  "55P03": "busy",
  "57P01": "unreachable",
  "57P02": "unreachable",
  "57P03": "loading",
};
