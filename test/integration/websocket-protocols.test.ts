import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type GatewayProcess, startGateway, tokenFor } from "../support/gateway-process.ts";
import { answerTo, upgradeLines } from "../support/raw-request.ts";
import { servedApp } from "../support/served-app.ts";

/** The subprotocol of an upgrade on the wire, because the runtime adds one of its own if nobody stops it. */
describe("the subprotocol that is echoed", () => {
  let gateway: GatewayProcess;
  let token: string;

  beforeAll(async () => {
    gateway = await startGateway();
    token = await tokenFor();
  });
  afterAll(() => gateway.stop());

  /** Every subprotocol that the answer names. */
  const echoed = async (target: string, offered: readonly string[]) => {
    const lines = offered.map((value) => value.replaceAll("TOKEN", token));
    const answer = await answerTo(gateway.port, upgradeLines(target, ["Host: telltale.example", ...lines]));
    expect(answer).toStartWith("HTTP/1.1 101 ");
    expect(answer).not.toContain(token);
    return [...answer.matchAll(/^sec-websocket-protocol:\s*(.*?)\r?$/gim)].map(([, value]) => value);
  };

  const NONE: readonly (readonly string[])[] = [
    [],
    ["Sec-WebSocket-Protocol: bearer.TOKEN"],
    ["Sec-WebSocket-Protocol: mqtt"],
    ["Sec-WebSocket-Protocol: mqtt, bearer.TOKEN"],
    ["Sec-WebSocket-Protocol: bearer.TOKEN", "Sec-WebSocket-Protocol: mqtt"],
    ["Sec-WebSocket-Protocol:"],
    ["Sec-WebSocket-Protocol: , ,"],
    ["Sec-WebSocket-Protocol: TELLTALE.V1"],
    ["Sec-WebSocket-Protocol: telltale.v10, xtelltale.v1, telltale.v1;q=1"],
    ["Sec-WebSocket-Protocol: graphql-ws"],
  ];
  const OURS: readonly (readonly string[])[] = [
    ["Sec-WebSocket-Protocol: telltale.v1"],
    ["Sec-WebSocket-Protocol: bearer.TOKEN, telltale.v1"],
    ["Sec-WebSocket-Protocol: bearer.TOKEN,telltale.v1,mqtt"],
    ["sec-websocket-protocol:   ,, telltale.v1 ,"],
    ["SEC-WEBSOCKET-PROTOCOL: mqtt", "Sec-WebSocket-Protocol: telltale.v1"],
    ["Sec-WebSocket-Protocol: telltale.v1, telltale.v1"],
  ];

  test.each(["/ws", `/ws/analysis/${crypto.randomUUID()}`, "/ws/analysis/no-uuid"])(
    "WEB-3: on %s is telltale.v1 if the client offered it, and else none",
    async (target) => {
      for (const offered of NONE) expect([offered, await echoed(target, offered)]).toEqual([offered, []]);
      for (const offered of OURS)
        expect([offered, await echoed(target, offered)]).toEqual([offered, ["telltale.v1"]]);
    },
  );

  test("WEB-3: is never a token that the client offers as one", async () => {
    const server = await servedApp();
    const offered = ["Host: telltale.example", "Sec-WebSocket-Protocol: bearer.secret"];
    const answer = await answerTo(server.port, upgradeLines("/ws", offered));
    await server.stop();
    expect(answer).toStartWith("HTTP/1.1 101 ");
    expect(answer).not.toMatch(/^sec-websocket-protocol:/im);
  });
});
