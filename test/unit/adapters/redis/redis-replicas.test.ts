import { describe, expect, test } from "bun:test";
import { RedisReplicas, type RequiredReplicas } from "../../../../src/adapters/redis/redis-replicas.ts";
import { OutcomeUnknown } from "../../../../src/application/errors.ts";
import { CollectingTelemetry } from "../../../../src/testing/collecting-telemetry.ts";
import { ManualClock } from "../../../../src/testing/manual-clock.ts";
import { turn } from "../../../support/turn.ts";

describe("RedisReplicas", () => {
  function make(required: RequiredReplicas) {
    const clock = new ManualClock();
    const waits: PromiseWithResolvers<number>[] = [];
    const replicas = new RedisReplicas({
      required,
      wait: () => {
        const wait = Promise.withResolvers<number>();
        waits.push(wait);
        return wait.promise;
      },
      clock,
      telemetry: new CollectingTelemetry(),
    });
    const told: string[] = [];
    const hold = (name: string) => {
      replicas.hold(4_500).then(
        () => told.push(`${name} held`),
        (error: unknown) => told.push(`${name} ${error instanceof OutcomeUnknown ? "unknown" : "fault"}`),
      );
    };
    return { replicas, clock, waits, told, hold };
  }

  test("PS-32: callers that come while a WAIT is under way share the next", async () => {
    const { waits, told, hold } = make(1);
    hold("a");
    hold("b");
    await turn();
    hold("c");
    hold("d");
    await turn();
    expect(waits).toHaveLength(1);
    waits[0]?.resolve(1);
    await turn();
    expect([waits.length, ...told]).toEqual([2, "a held", "b held"]);
    waits[1]?.resolve(0);
    await turn();
    expect(told.slice(2)).toEqual(["c unknown", "d unknown"]);
  });

  test("PS-32: a WAIT that fails or gets no answer leaves the outcome unknown, and the next is sent", async () => {
    const { clock, waits, told, hold } = make(2);
    hold("a");
    await turn();
    waits[0]?.reject(new Error("ERR WAIT cannot be used with replica instances."));
    await turn();
    hold("b");
    await turn();
    clock.advance(4_500);
    await turn();
    expect(told).toEqual(["a unknown", "b unknown"]);
    hold("c");
    waits[1]?.resolve(2);
    await turn();
    waits[2]?.resolve(2);
    await turn();
    expect(told[2]).toBe("c held");
  });

  test("PS-32: without a number one replica is required as soon as one was in step, and ever after", async () => {
    const { replicas, waits, told, hold } = make("seen");
    replicas.look(
      "role:master\r\nconnected_slaves:1\r\nslave0:ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0\r\n",
    );
    hold("a");
    await turn();
    expect([replicas.required, waits.length, ...told]).toEqual([0, 0, "a held"]);
    replicas.look(
      "role:master\r\nconnected_slaves:1\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=9\r\n",
    );
    replicas.look("role:master\r\nconnected_slaves:0\r\n");
    hold("b");
    await turn();
    expect([replicas.required, waits.length]).toEqual([1, 1]);
  });

  test("PS-32: a configured number does not change when a replica is seen", () => {
    const { replicas } = make(0);
    replicas.look("slave0:ip=10.0.0.2,port=6379,state=online,offset=9\r\n");
    expect(replicas.required).toBe(0);
  });
});
