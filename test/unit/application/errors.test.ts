import { expect, test } from "bun:test";
import * as errors from "../../../src/application/errors.ts";

const {
  BrokerError,
  BrokerUnavailable,
  NewerFormat,
  OutcomeUnknown,
  RequestTooLarge,
  TelltaleError,
  TokenRejected,
} = errors;
const classes = {
  TelltaleError,
  BrokerError,
  BrokerUnavailable,
  OutcomeUnknown,
  NewerFormat,
  RequestTooLarge,
  TokenRejected,
};

/** The names of the classes that an error is an instance of. */
function classesOf(error: unknown): string[] {
  return Object.entries(classes).flatMap(([name, one]) => (error instanceof one ? [name] : []));
}

const thrown: readonly [code: string, make: (from: typeof errors) => Error, classes: string[]][] = [
  [
    "broker_unavailable",
    (from) => new from.BrokerUnavailable("away"),
    ["TelltaleError", "BrokerError", "BrokerUnavailable"],
  ],
  [
    "outcome_unknown",
    (from) => new from.OutcomeUnknown("no answer"),
    ["TelltaleError", "BrokerError", "OutcomeUnknown"],
  ],
  ["newer_format", (from) => new from.NewerFormat("newer"), ["TelltaleError", "BrokerError", "NewerFormat"]],
  ["event_too_large", (from) => new from.RequestTooLarge(1), ["TelltaleError", "RequestTooLarge"]],
];

test.each(thrown)("an error %s is told from the others by instanceof", (_, make, expected) => {
  expect(classesOf(make(errors))).toEqual(expected);
});

test.each(thrown)("an error %s of another copy of the module is told alike", async (_, make, expected) => {
  // The runtime loads a file anew under another query, as it does the copy of a package that lies elsewhere.
  const copy = (await import(`${"../../../src/application/errors.ts"}?copy`)) as typeof errors;
  expect(copy.TelltaleError).not.toBe(errors.TelltaleError);
  expect(classesOf(make(copy))).toEqual(expected);
});

test("an error that only bears the code of a broker's error is none, and neither is anything else", () => {
  const others = [Object.assign(new Error("x"), { code: "broker_unavailable" }), { code: "x" }, null, "x"];
  for (const other of others) expect(classesOf(other)).toEqual([]);
  expect(classesOf(new TokenRejected("x"))).toEqual(["TelltaleError", "TokenRejected"]);
});
