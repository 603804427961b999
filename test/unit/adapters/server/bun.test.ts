import { expect, test } from "bun:test";
import type { ServerWebSocket } from "bun";
import { bunSocketHandler, type SocketData } from "../../../../src/adapters/server/bun.ts";
import { turn } from "../../../support/turn.ts";
import { sessionBench } from "../../session/session-bench.ts";

test("WS-13: the adapter ends a socket on which Bun dropped a frame, because its client missed it", async () => {
  const { services, tokens, analysisId } = sessionBench();
  let terminated = 0;
  const socket = {
    readyState: 1,
    data: {
      analysisId,
      token: { type: "token", token: tokens.know("t") },
      originAllowed: true,
      replay: { mode: "latest", after: undefined },
      untilTerminal: false,
      markers: false,
      strict: false,
      conflates: true,
      faults: [],
    },
    send: () => 0,
    cork: (write: () => void) => write(),
    getBufferedAmount: () => 0,
    terminate: () => {
      terminated++;
    },
    close: () => {},
  } as unknown as ServerWebSocket<SocketData>;
  bunSocketHandler(services).open?.(socket);
  await turn();
  expect(terminated).toBe(1);
});
