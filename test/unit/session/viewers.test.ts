import { describe, expect, test } from "bun:test";
import { NOTHING, sessionBench } from "./session-bench.ts";

const ALICE = new Set(["alice"]);
const BOB = new Set(["bob"]);

describe("PUB-1: viewers declared while clients watch", () => {
  test("end the clients who may not watch with 4003, and no other one", async () => {
    const { watch, elsewhere, channel, publish } = sessionBench();
    const [alice, bob] = [await watch("alice"), await watch("bob")];
    await elsewhere.declareViewers(channel, ALICE);
    expect([alice.wire.closedWith, bob.wire.closedWith]).toEqual([undefined, 4003]);
    await publish();
    expect([alice.wire.offsets, bob.wire.offsets]).toEqual([[1], []]);
  });

  test("admit the clients who may watch from then on", async () => {
    const { watch, elsewhere, channel } = sessionBench({ watchDefault: "deny" });
    expect((await watch("alice")).wire.closedWith).toBe(4003);
    await elsewhere.declareViewers(channel, ALICE);
    expect((await watch("alice")).wire.closes).toEqual([]);
    expect((await watch("bob")).wire.closedWith).toBe(4003);
  });

  test("leave a client whose token names the analysis", async () => {
    const { upgrade, tokens, elsewhere, channel, analysisId, settle } = sessionBench();
    const { wire } = upgrade(tokens.know("token", { analyses: new Set([analysisId]) }));
    await settle();
    await elsewhere.declareViewers(channel, BOB);
    expect(wire.closes).toEqual([]);
  });

  test("end a client who may no longer watch, at any instant of its admission", async () => {
    // Three subscriptions, one snapshot and one reading of the history, each carried out and then answered.
    const steps = 10;
    for (const watched of [false, true]) {
      for (let declared = 0; declared <= steps; declared++) {
        for (let arrives = declared; arrives <= steps + 1; arrives++) {
          const bench = sessionBench();
          const { upgrade, tokens, pubSub, elsewhere, channel, settle, books, publish } = bench;
          await publish();
          const others = watched ? [await bench.watch("bob")] : [];
          pubSub.holdsCalls = true;
          pubSub.holdsMail = true;
          const { wire, hangUp } = upgrade(tokens.know("token"), {
            replay: { mode: "latest", after: { epoch: "", offset: 0 } },
          });
          for (let step = 0; step <= steps; step++) {
            if (step === declared) await elsewhere.declareViewers(channel, BOB);
            if (step >= arrives) pubSub.deliver();
            await pubSub.proceed();
          }
          await settle();
          expect([declared, arrives, wire.closedWith]).toEqual([declared, arrives, 4003]);
          for (const other of [{ hangUp }, ...others]) other.hangUp();
          expect(books()).toEqual(NOTHING);
        }
      }
    }
  });
});
