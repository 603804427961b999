import { expect, test } from "bun:test";
import { choiceOf } from "../../../../src/client/watch/transport-choice.ts";
import { watchOver } from "../../../../src/client/watch/watch.ts";
import type { WatchedEvent } from "../../../../src/client/watch/watched-events.ts";
import { everyEvent } from "../../../../src/gateway/commands/watch/every-event.ts";
import { ANALYSIS, ScriptedGateway, settled, status } from "../../client/watch/scripted-gateway.ts";

function watchEvery(after?: string) {
  const gateway = new ScriptedGateway();
  const { transport, textOf } = everyEvent(after);
  const watching = watchOver(choiceOf([transport]))({
    url: "https://gateway.example/telltale",
    analysisId: ANALYSIS,
    token: "a.b.c",
    environment: gateway.environment,
  });
  const got: (string | undefined)[] = [];
  void (async () => {
    for await (const event of watching) got.push(textOf(event as WatchedEvent) ?? event.event_type);
  })();
  return { gateway, watching, got };
}

const askedOf = (url: string) => Object.fromEntries(new URL(url).searchParams);

test("begins with every event that is kept, as it came, and goes on after the last", async () => {
  const { gateway, watching, got } = watchEvery();
  const socket = await gateway.socket();
  expect(new URL(socket.url).pathname).toBe(`/telltale/ws/analysis/${ANALYSIS}`);
  expect(askedOf(socket.url)).toEqual({ replay: "all", markers: "1", conflate: "none" });
  socket.establish();
  const text = JSON.stringify(status("e-7", { n: 1 })).replace('"n":1', '"n":12345678901234567890');
  socket.serverSends(text);
  await settled();
  expect(got).toEqual(["analysis_state", text]);
  expect(watching.getSnapshot().analysis).toMatchObject({ status: "running", last_event_id: "e-7" });
  socket.serverCloses(1006);
  gateway.clock.advance(500);
  const again = await gateway.socket(2);
  expect(askedOf(again.url)).toMatchObject({ last_event_id: "e-7" });
  again.establish({ resumed: true });
  again.serverSends(status("e-8"));
  await settled();
  expect(got).toEqual(["analysis_state", text, JSON.stringify(status("e-8"))]);
  watching.close();
});

test("begins after the event that it is given, and anew if the history was lost, also amid a connection", async () => {
  const { gateway, watching, got } = watchEvery("e-3");
  const socket = await gateway.socket();
  expect(askedOf(socket.url)).toMatchObject({ last_event_id: "e-3" });
  socket.establish({ resumed: true });
  expect(watching.getSnapshot().analysis).toMatchObject({ status: "unknown", last_event_id: "e-3" });
  socket.serverSends(status("e-4"));
  socket.establish({ resumed: false });
  expect(watching.getSnapshot().analysis).toMatchObject({ status: "unknown", last_event_id: "0" });
  socket.serverCloses(1006);
  gateway.clock.advance(500);
  // The client has no event of the new history: it asks from the beginning.
  expect(askedOf((await gateway.socket(2)).url)).not.toHaveProperty("last_event_id");
  await settled();
  expect(got).toEqual(["analysis_state", JSON.stringify(status("e-4")), "analysis_state"]);
  watching.close();
});
