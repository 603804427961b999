import { expect, test } from "bun:test";
import { runModel } from "./run-model.ts";
import type { Step, StepName } from "./steps.ts";
import type { WorldOptions } from "./world.ts";

// Short runs of steps that once broke a promise, each for another reason.

const options: WorldOptions = { historySize: 1_000, watchDefault: "allow", attempts: false };

/** A step whose other numbers are 0: node 0, analysis 0, `initializing`, the worker's first recent message. */
function step(kind: StepName, numbers: Partial<Omit<Step, "kind">> = {}): Step {
  return { kind, a: 0, b: 0, c: 0, d: 0, ...numbers };
}

/** Indexes of `PASSING_MS`. */
const THREE_SECONDS = { a: 3 };
const SIX_SECONDS = { a: 4 };
/** The next message of a worker, or mark, arrives at a node whose own mark still waits for the network. */
const arrives = (node: number) => step("network", { a: node, b: 1 });

const cases: readonly [string, readonly Step[]][] = [
  [
    "IDN-4: a repeat and its retry that a newcomer stored first, beside gateways that heard the earlier message, are an event",
    [
      step("cut"),
      step("full"),
      step("bare"),
      step("bare"),
      step("restore"),
      step("bareAgain"),
      step("pass", THREE_SECONDS),
      step("bareAgain"),
    ],
  ],
  [
    "IDN-6: a repeat is an event though a gateway that is gone stored the first message before it heard a mark",
    [
      ...[0, 1, 2].map((node) => step("cut", { a: node })),
      step("hold", { a: 1 }),
      step("restore", { a: 1 }),
      step("bare"),
      arrives(1),
      // Node 0 publishes a mark.
      step("restore"),
      step("bareAgain"),
      step("bare"),
      // The mark, and the message again.
      arrives(1),
      arrives(1),
      step("bareAgain"),
      step("cut", { a: 1 }),
    ],
  ],
  [
    "IDN-6: a repeat is an event though a gateway that had heard no mark stored it and its retry before the earlier message",
    [
      step("cut", { a: 2 }),
      step("full"),
      step("bare"),
      step("bare"),
      step("hold", { a: 2 }),
      step("restore", { a: 2 }),
      step("pass", THREE_SECONDS),
      step("bareAgain"),
      step("bareAgain"),
    ],
  ],
  [
    "PS-30: a message whose append is on its way for nine seconds is stored once",
    [
      step("hold", { a: 2 }),
      step("cut", { a: 2 }),
      step("restore", { a: 2 }),
      step("bare"),
      arrives(2),
      step("pass", SIX_SECONDS),
      step("pass", THREE_SECONDS),
      step("publish"),
    ],
  ],
  [
    "a slow watcher of the whole history, which is trimmed to nothing before it takes the replay, is sent nothing",
    [
      step("publish"),
      step("failOver"),
      // With `replay=all`.
      step("connect", { c: 4 }),
      step("readSlowly"),
      step("publish"),
      step("failOver", { b: 1 }),
      step("trim"),
      step("newLineage"),
    ],
  ],
  [
    "a slow watcher whose first replay is read after a loss, and trimmed to nothing by then, is sent nothing",
    [
      step("connect", { b: 5 }),
      step("hold", { a: 20 }),
      step("publish", { a: 3 }),
      step("connect", { a: 52, b: 8, c: 10 }),
      step("expire"),
      step("readSlowly", { a: 17 }),
      step("publish"),
      step("flow", { a: 41 }),
      step("kill"),
      step("trim"),
      step("publish"),
    ],
  ],
];

for (const [name, steps] of cases) {
  test(name, () => expect(() => runModel(options, steps)).not.toThrow());
}
