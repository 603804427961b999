import { afterEach, describe, expect, test } from "bun:test";
import { InMemoryPubSub } from "../../src/adapters/memory/in-memory-pub-sub.ts";
import type { AppendRequest, PubSubPort } from "../../src/application/ports/pub-sub-port.ts";
import { CollectingTelemetry } from "../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { NatsNodes } from "../support/nats-nodes.ts";
import { needs } from "../support/needs.ts";
import { useNats } from "../support/use-nats.ts";
import { Seeded } from "../unit/domain/seeded.ts";
import { type Course, expected, walk } from "../vectors/course.ts";
import { COURSES } from "../vectors/courses.ts";
import { seededCourse } from "../vectors/seeded-course.ts";

const SEEDS = 20;
const LONGEST_ID = 20;

/** The adapter records what the domain decides, and reads it back as it was. NATS has no bare messages. */
describe.skipIf(!needs("nats-server"))("the shared vectors on NATS", () => {
  const nats = useNats();
  const nodes = new NatsNodes({
    get host() {
      return nats.host;
    },
    get port() {
      return nats.port;
    },
  });
  afterEach(() => nodes.close());

  for (const course of COURSES.filter(isAboutNats)) {
    test(course.name, async () => {
      const node = nodes.make({ size: course.size ?? 1_000 });
      expect(await walk(course, node, Bun.sleep)).toEqual(expected(course));
    });
  }

  test(`${SEEDS} random courses end on NATS as in memory`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const size = 3 + (seed % 20);
      const clock = new ManualClock();
      const memory = new InMemoryPubSub({
        clock,
        telemetry: new CollectingTelemetry(),
        history: { size, ttlMs: 60_000 },
      });
      const channel = someAnalysis();
      const wanted = await seededCourse(withoutOccurrences(memory), channel, new Seeded(seed));
      const found = await seededCourse(
        ...([withoutOccurrences(nodes.make({ size })), channel, new Seeded(seed)] as const),
      );
      expect([seed, found]).toEqual([seed, wanted]);
      await memory.close();
    }
  });
});

/** The gateway knows the server's clock to some milliseconds, and ids of the inbox are not those of Redis. */
function isAboutNats({ steps }: Course): boolean {
  return steps.every((step) => {
    if (!("events" in step) || step.key === undefined) return true;
    const { key } = step;
    if (key.by === "key") return Math.min(key.windowMs, key.rememberMs) >= 1_000;
    return key.by === "entry" && key.id.length <= LONGEST_ID;
  });
}

/** The same broker, to which a bare message is one that it does not recognise. */
function withoutOccurrences(broker: PubSubPort): PubSubPort {
  return new Proxy(broker, {
    get: (target, name) => {
      if (name === "append")
        return ({ deduplicate, ...request }: AppendRequest) =>
          target.append(
            deduplicate === undefined || deduplicate.by === "occurrence"
              ? request
              : { ...request, deduplicate },
          );
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
