import { describe, expect, test } from "bun:test";
import { InMemoryPubSub } from "../../src/adapters/memory/in-memory-pub-sub.ts";
import type { PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { notice } from "../../src/testing/encoded-events.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { needs } from "../support/needs.ts";
import { useRedis } from "../support/use-redis.ts";
import { Seeded } from "../unit/domain/seeded.ts";
import { expected, walk } from "../vectors/course.ts";
import { COURSES } from "../vectors/courses.ts";
import { HISTORIES, outcomeOf } from "../vectors/histories.ts";
import { seededCourse } from "../vectors/seeded-course.ts";

const SEEDS = 150;

/** The scripts judge events, positions and repetitions as the domain does, in another language. */
describe.skipIf(!needs("redis-server"))("the shared vectors on Redis", () => {
  const redis = useRedis();

  for (const course of COURSES) {
    test(course.name, async () => {
      const node = redis.nodes.make({ size: course.size ?? 1_000 });
      expect(await walk(course, node, Bun.sleep)).toEqual(expected(course));
    });
  }

  for (const history of HISTORIES) {
    test(`${history.name}: Redis keeps its epochs, takes every position that is good, and no other`, async () => {
      const { kept, positions } = outcomeOf(history);
      const node = redis.nodes.make({ size: history.size });
      const channel = someAnalysis();
      const epochs: string[] = [];
      for (const [index, count] of history.appended.entries()) {
        if (index > 0) await redis.client.call("DEBUG", "CHANGE-REPL-ID");
        for (let n = 0; n < count; n++) {
          const stored = await node.append({ channel, events: [notice()] });
          if (stored.type === "stored" && !epochs.includes(stored.epoch)) epochs.push(stored.epoch);
        }
      }
      const { spans, oldestKept, position } = await node.snapshot(channel);
      const numbered = spans.map(({ epoch, ...span }) => ({
        ...span,
        epoch: `${epochs.indexOf(epoch) + 1}`,
      }));
      expect({ spans: numbered, oldestKept, newest: position.offset }).toEqual({
        ...kept,
        spans: [...kept.spans],
      });
      const judged = [];
      for (const { position } of positions) {
        const epoch = epochs[Number(position.epoch) - 1] ?? "other";
        const { resumed } = await node.history(channel, { ...position, epoch }, 100);
        judged.push({ position, isGood: resumed });
      }
      expect(judged).toEqual([...positions]);
    });
  }

  test("Redis and the domain give random courses of events, keys and attempts the same outcomes, history and snapshot", async () => {
    const history = { size: 7, ttlMs: 60_000 };
    const brokers: PubSubPort[] = [
      redis.nodes.make(history),
      new InMemoryPubSub({ clock: new ManualClock(), telemetry: new CollectingTelemetry(), history }),
    ];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const channel = someAnalysis();
      const [redis, memory] = await Promise.all(
        brokers.map((broker) => seededCourse(broker, channel, new Seeded(seed))),
      );
      expect({ seed, ...redis }).toEqual({ seed, ...memory! });
    }
  }, 60_000);
});
