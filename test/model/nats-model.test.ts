import { test } from "bun:test";
import fc from "fast-check";
import { type NatsStep, NatsWorld } from "./nats-world.ts";

const RUNS = Number(process.env.TELLTALE_MODEL_RUNS ?? 300);
const SEED = process.env.TELLTALE_MODEL_SEED;

const node = fc.nat(1);
const pick = fc.nat(20);
const step: fc.Arbitrary<NatsStep> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("append" as const),
      node,
      by: fc.constantFrom("none" as const, "key" as const),
      name: fc.nat(4),
      events: fc.integer({ min: 1, max: 3 }),
      isEnd: fc.boolean(),
      attempt: fc.constantFrom(0, 0, 0, 1, 2),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant("work" as const), count: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("take" as const),
      node,
      isFrozen: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("workers" as const),
      change: fc.constantFrom(
        "lost" as const,
        "made anew" as const,
        "put back" as const,
        "set back" as const,
      ),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ type: fc.constant("go on" as const), pick }) },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant("flow" as const), rounds: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom("lose" as const, "repeat" as const), pick }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("pass" as const),
      milliseconds: fc.constantFrom(1, 10, 500, 1_500, 2_000, 3_100, 6_000, 61_000),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "save" as const }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("restart" as const), asSaved: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom("trim" as const, "read" as const), node }) },
);

test("the log on NATS keeps its promises, however late messages and answers come", async () => {
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 20, maxLength: 70, size: "max" }),
    async (steps) => {
      const world = new NatsWorld();
      for (const each of steps) await world.take(each);
      await world.end();
      world.assertSound();
    },
  );
  await fc.assert(property, { numRuns: RUNS, ...(SEED !== undefined && { seed: Number(SEED) }) });
}, 1_800_000);
