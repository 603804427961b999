import { expect, test } from "bun:test";
import { DELIVERED, SERVER_FRAMES } from "../../../src/domain/delivered-schemas.ts";
import { turn } from "../../support/turn.ts";
import { INTERVAL, STALL, sessionBench } from "./session-bench.ts";

test("API-7: each frame that the gateway sends has the shape that the descriptions give it", async () => {
  const { watch, open, publish, pass, tokens, analysisId, elsewhere, channel, feeds, clock } = sessionBench();
  await publish();
  const one = await watch("alice", { markers: true });
  const many = await open("alice", { markers: true });
  many.say({ type: "subscribe", analysis_id: analysisId, replay: "none" });
  many.say({ type: "subscribe", analysis_id: "no-uuid" });
  many.say({ type: "unsubscribe", analysis_id: analysisId });
  many.say({ type: "nonsense" });
  one.session.received('{"type":"ping"}');
  one.session.received(
    JSON.stringify({ type: "authenticate", token: tokens.know("token of alice", { userId: "alice" }) }),
  );
  await turn();
  await elsewhere.requestCancel?.(channel, {
    requested_at: new Date(clock.now()).toISOString(),
    user_id: null,
    reason: null,
  });
  for (const feed of feeds.analyses())
    feed.announcer.takeReport({ heardAt: clock.now() - 2 * STALL, brokerNow: clock.now() }, feed.latest);
  await turn();
  pass(INTERVAL + 500);
  const unknown = await watch("alice", {
    analysisId: crypto.randomUUID(),
    replay: { mode: "state", after: undefined },
  });
  const schemas = { ...DELIVERED, ...SERVER_FRAMES };
  const seen = new Set<string>();
  for (const message of [one, many, unknown].flatMap(({ wire }) => wire.messages)) {
    const type = message.event_type as keyof typeof schemas;
    // The bench publishes statuses without their fields.
    if (type === "status_update") continue;
    seen.add(type);
    expect([type, schemas[type].safeParse(message).error]).toEqual([type, undefined]);
  }
  expect(seen).toEqual(new Set(Object.keys(SERVER_FRAMES)));
});
