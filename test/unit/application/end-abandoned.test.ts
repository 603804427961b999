import { describe, expect, test } from "bun:test";
import { InMemoryPubSub } from "../../../src/adapters/memory/in-memory-pub-sub.ts";
import { InMemoryRunningIndex } from "../../../src/adapters/memory/in-memory-running-index.ts";
import { EndAbandoned, LOOK_FOR_ABANDONED_MS } from "../../../src/application/end-abandoned.ts";
import { BrokerUnavailable } from "../../../src/application/errors.ts";
import { formatEventId } from "../../../src/domain/event-position.ts";
import { fault, status } from "../../../src/testing/encoded-events.ts";
import { someAnalysis } from "../../../src/testing/some-analysis.ts";
import { memoryNode } from "../../support/memory-node.ts";
import { runningIndexRules } from "../../support/running-index-rules.ts";

const ABANDON = 10_000;

function opened() {
  const { clock, telemetry, broker, elsewhere } = memoryNode();
  const channel = someAnalysis();
  const running = new InMemoryRunningIndex(broker);
  const gateway = () => {
    const pubSub = new InMemoryPubSub({ clock, telemetry, broker, history: { size: 100, ttlMs: 3_600_000 } });
    return new EndAbandoned({ pubSub, running, clock, telemetry, abandonAfterMs: ABANDON });
  };
  /** Time passes as in running gateways. */
  const pass = async (milliseconds: number, ...gateways: EndAbandoned[]) => {
    for (let passed = 0; passed < milliseconds; passed += LOOK_FOR_ABANDONED_MS) {
      clock.advance(LOOK_FOR_ABANDONED_MS);
      await Promise.all(gateways.map((one) => one.execute()));
    }
  };
  const kept = async () =>
    (await elsewhere.history(channel, undefined, 1_000)).events.map(({ kind, text }) => ({
      kind,
      ...(JSON.parse(text) as Record<string, unknown>),
    }));
  return { clock, telemetry, broker, elsewhere, channel, running, gateway, pass, kept };
}

describe("EndAbandoned", () => {
  test("ABN-1: ends a silent analysis once, by however many gateways, though the one that stored it is gone", async () => {
    const { gateway, channel, pass, kept, clock } = opened();
    await gateway().noting.append({ channel, events: [status()] });
    const silent_since = new Date(clock.now()).toISOString();
    const others = [gateway(), gateway(), gateway()];
    await pass(ABANDON - LOOK_FOR_ABANDONED_MS, ...others);
    expect(await kept()).toHaveLength(1);
    await pass(10_000, ...others);
    const events = await kept();
    expect(events).toHaveLength(2);
    expect(events[1]).toMatchObject({
      event_type: "error",
      error_code: "worker_lost",
      error_details: { silent_since },
    });
    await pass(120_000, ...others);
    expect(await kept()).toHaveLength(2);
  });

  test("ABN-2: leaves one whose worker gives signs of life, is queued, has ended or is unknown", async () => {
    const { gateway, channel, elsewhere, pass, kept } = opened();
    const one = gateway();
    const queued = status({ stage: "queued" });
    await one.noting.append({ channel, events: [queued] });
    await pass(5 * ABANDON, one);
    expect(await kept()).toHaveLength(1);
    await one.noting.append({ channel, events: [status()] });
    for (let beats = 0; beats < 10; beats++) {
      await pass(ABANDON / 2, one);
      await elsewhere.signOfLife?.(channel);
    }
    expect(await kept()).toHaveLength(2);
    await one.noting.append({ channel, events: [fault()] });
    await pass(5 * ABANDON, one);
    expect(await kept()).toHaveLength(3);
  });

  test("ABN-3: an analysis that was reopened after its end is ended again", async () => {
    const { gateway, channel, elsewhere, broker, pass, kept } = opened();
    const [one, two] = [gateway(), gateway()];
    await one.noting.append({ channel, events: [status()] });
    await two.noting.append({ channel, events: [fault()] });
    await pass(18_000, one, two);
    await one.noting.append({ channel, events: [status()] });
    await pass(ABANDON + 10_000, two);
    expect((await kept()).map(({ kind }) => kind)).toEqual(["status", "error", "status", "error"]);
    await elsewhere.append({ channel, events: [status()] });
    await one.noting.append({ channel, events: [status()] });
    await pass(ABANDON + 10_000, two);
    expect((await kept()).at(-1)).toMatchObject({ error_code: "worker_lost" });
    await pass(120_000, two);
    expect(broker.running.size).toBe(0);
  });

  test("ABN-3: an append is stored though the index cannot be reached, and the next one is noted", async () => {
    const { gateway, channel, running, pass, kept } = opened();
    const put = running.put.bind(running);
    running.put = () => Promise.reject(new BrokerUnavailable("away"));
    const one = gateway();
    const outcome = await one.noting.append({ channel, events: [status()] });
    expect(outcome.type === "stored" && formatEventId({ epoch: outcome.epoch, offset: 1 })).toBeTruthy();
    running.put = put;
    await one.noting.append({ channel, events: [status()] });
    await pass(ABANDON + 10_000, one);
    expect((await kept()).at(-1)).toMatchObject({ error_code: "worker_lost" });
  });
});

runningIndexRules(async () => {
  const { broker } = memoryNode();
  return [new InMemoryRunningIndex(broker), new InMemoryRunningIndex(broker)];
});
