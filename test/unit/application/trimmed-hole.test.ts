import { expect, test } from "bun:test";
import { status } from "../../../src/testing/encoded-events.ts";
import { turn } from "../../support/turn.ts";
import { watchBench } from "./watch-bench.ts";

test("ID-4: a client that was sent nothing yet is told as well when what it missed was trimmed", async () => {
  const { join, publish, pubSub } = watchBench({ size: 3 });
  const { wire } = await join({ replay: { mode: "none" } });
  pubSub.breakLink();
  await publish(...Array.from({ length: 20 }, (_, number) => status({ note: `${number}` })));
  pubSub.restoreLink();
  await turn();
  expect(wire.types).toEqual(["connection_established", "status_update"]);
  expect(wire.offsets).toEqual([20]);
});
