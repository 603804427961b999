import { describe, expect, test } from "bun:test";
import { InMemoryPubSub } from "../../src/adapters/memory/in-memory-pub-sub.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { expected, walk } from "../vectors/course.ts";
import { COURSES } from "../vectors/courses.ts";

/** The domain's rules, by way of the broker that uses them as they are. `redis-vectors.test.ts` runs the same on Redis. */
describe("the shared vectors on the domain", () => {
  for (const course of COURSES) {
    test(course.name, async () => {
      const clock = new ManualClock();
      const node = new InMemoryPubSub({
        clock,
        telemetry: new CollectingTelemetry(),
        history: { size: course.size ?? 1_000, ttlMs: 60_000 },
      });
      const walked = await walk(course, node, async (milliseconds) => clock.advance(milliseconds));
      expect(walked).toEqual(expected(course));
      await node.close();
    });
  }
});
