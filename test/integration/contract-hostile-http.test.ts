import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { type GatewayProcess, publisherToken, startGateway } from "../support/gateway-process.ts";
import { someAnalysis } from "../support/some-analysis.ts";

/** What no honest client sends, byte by byte. */
describe("requests that are none", () => {
  let gateway: GatewayProcess;

  beforeAll(async () => {
    gateway = await startGateway();
  });
  afterAll(() => gateway.stop());

  /** Sends it as it stands and resolves with the answer, once there is a whole one or the gateway hung up. */
  const send = (request: string) =>
    new Promise<string>((resolve, reject) => {
      let answer = "";
      const socket = connect(gateway.port, "127.0.0.1", () => socket.write(request));
      socket.on("data", (bytes) => {
        answer += bytes.toString("latin1");
        if (answer.includes("\r\n\r\n")) socket.end();
      });
      socket.on("error", reject);
      socket.on("close", () => resolve(answer));
    });

  test.each(["", " ", "a b", "[::", "%"])(
    "OPS-7: an upgrade for the host `%s` is no fault of ours",
    async (host) => {
      const lines = [
        "GET /ws/analysis/x HTTP/1.1",
        `Host: ${host}`,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      ];
      expect(await send(`${lines.join("\r\n")}\r\n\r\n`)).toMatch(/^HTTP\/1.1 4\d\d /);
      expect(gateway.output()).not.toContain("TypeError");
    },
  );

  test("PUB-5: a body of gigabytes is refused with a problem before it is sent", async () => {
    const [, id] = someAnalysis().split(":");
    const lines = [
      `POST /v1/analyses/${id}/events HTTP/1.1`,
      "Host: telltale.example",
      `Authorization: Bearer ${await publisherToken()}`,
      `Content-Length: ${8 * 1024 ** 3}`,
    ];
    const answer = await send(`${lines.join("\r\n")}\r\n\r\n{`);
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain("application/problem+json");
    expect(answer).toContain("event_too_large");
  });
});
