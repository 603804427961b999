import { describe, expect, test } from "bun:test";
import { BrokerUnavailable, NewerFormat, OutcomeUnknown } from "../../../../src/application/errors.ts";
import { statusUpdate } from "../../../support/publishing.ts";
import { appBench, codeOf, problemOf } from "./app-bench.ts";

describe("publishing again", () => {
  const keyed = (key: string) => ({ headers: { "Idempotency-Key": key } });

  test("PUB-6: the same Idempotency-Key answers the first event_ids, and stores nothing", async () => {
    const { publish, kept } = appBench();
    const first = (await (await publish([statusUpdate(), statusUpdate()], keyed("k"))).json()) as object;
    const again = await publish(statusUpdate({ message: "another body" }), keyed("k"));
    expect(again.status).toBe(202);
    expect(await again.json()).toEqual({ ...first, duplicate: true });
    expect(await kept()).toHaveLength(2);
  });

  test("PUB-6: a key is good for five minutes, and for one analysis", async () => {
    const { publish, ask, clock, kept } = appBench();
    await publish(statusUpdate(), keyed("k"));
    const path = `/v1/analyses/${crypto.randomUUID()}/events`;
    const other = await ask(path, {
      method: "POST",
      token: "publisher",
      body: statusUpdate(),
      ...keyed("k"),
    });
    expect(await other.json()).toMatchObject({ duplicate: false });
    clock.advance(299_999);
    expect(await (await publish(statusUpdate(), keyed("k"))).json()).toMatchObject({ duplicate: true });
    clock.advance(2);
    expect(await (await publish(statusUpdate(), keyed("k"))).json()).toMatchObject({ duplicate: false });
    expect(await kept()).toHaveLength(2);
  });

  test("PUB-6: a key has 1 to 200 characters, else 422", async () => {
    const { publish, notify, kept } = appBench();
    for (const key of ["", "k".repeat(201)]) {
      expect(await codeOf(await publish(statusUpdate(), keyed(key)))).toEqual([
        422,
        "invalid_idempotency_key",
      ]);
      expect(await codeOf(await notify({ message: "m" }, keyed(key)))).toEqual([
        422,
        "invalid_idempotency_key",
      ]);
    }
    for (const key of ["k", "k".repeat(200)])
      expect((await publish(statusUpdate(), keyed(key))).status).toBe(202);
    expect(await kept()).toHaveLength(2);
  });

  test("PUB-6: a refused publish does not use its key up", async () => {
    const { publish } = appBench();
    expect((await publish(statusUpdate({ progress: 2 }), keyed("k"))).status).toBe(422);
    expect(await (await publish(statusUpdate(), keyed("k"))).json()).toMatchObject({ duplicate: false });
  });

  test("NOT-3: keys of notices are one name space over all addressees, and none with those of analyses", async () => {
    const { publish, notify, kept } = appBench();
    await publish(statusUpdate(), keyed("k"));
    const first = (await (await notify({ user_id: "alice", message: "m" }, keyed("k"))).json()) as object;
    expect(first).toMatchObject({ duplicate: false });
    expect(await (await notify({ message: "m" }, keyed("k"))).json()).toEqual({ ...first, duplicate: true });
    expect(await (await notify({ user_id: "bob", message: "m" }, keyed("k"))).json()).toMatchObject({
      duplicate: true,
    });
    expect([await kept("user:alice"), await kept("system:updates")].map(({ length }) => length)).toEqual([
      1, 0,
    ]);
  });

  test.each([
    ["broker_unavailable", new BrokerUnavailable("the broker is away")],
    ["outcome_unknown", new OutcomeUnknown("no answer in time")],
    ["newer_format", new NewerFormat("written by a newer Telltale")],
  ])("PUB-10: 503 %s with Retry-After, on every way in; nothing is stored by it", async (code, fault) => {
    const { publish, notify, declare, pubSub, kept } = appBench();
    pubSub.fault = () => fault;
    for (const answer of [
      await publish(statusUpdate()),
      await notify({ message: "m" }),
      await declare({ viewers: "*" }),
    ]) {
      expect(Number(answer.headers.get("Retry-After"))).toBeGreaterThan(0);
      expect(await codeOf(answer)).toEqual([503, code]);
    }
    expect(await kept()).toEqual([]);
  });

  test("PUB-10: a request that was stored although its answer got lost is a duplicate under the same key", async () => {
    const { publish, pubSub, kept } = appBench();
    pubSub.holdsCalls = true;
    const lost = publish(statusUpdate(), keyed("k"));
    while (pubSub.waiting.length === 0) await Promise.resolve();
    await pubSub.proceed();
    pubSub.failWaiting(new OutcomeUnknown("no answer"));
    expect((await problemOf(await lost)).code).toBe("outcome_unknown");
    pubSub.holdsCalls = false;
    expect(await (await publish(statusUpdate(), keyed("k"))).json()).toMatchObject({ duplicate: true });
    expect(await kept()).toHaveLength(1);
  });
});
