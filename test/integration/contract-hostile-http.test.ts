import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { someAnalysis } from "../../src/testing/some-analysis.ts";
import { type GatewayProcess, publisherToken, startGateway } from "../support/gateway-process.ts";
import { answerTo, upgradeLines } from "../support/raw-request.ts";

/** Requests that no honest client sends, byte by byte. */
describe("hostile requests", () => {
  let gateway: GatewayProcess;

  beforeAll(async () => {
    gateway = await startGateway();
  });
  afterAll(() => gateway.stop());

  test.each(["a b", "[::", "%"])("OPS-7: an upgrade for the host `%s` is no fault of ours", async (host) => {
    const lines = upgradeLines("/ws/analysis/x", [`Host: ${host}`]);
    expect(await answerTo(gateway.port, lines)).toStartWith("HTTP/1.1 400 ");
    expect(gateway.output()).not.toContain("TypeError");
  });

  test("PUB-5: a body of gigabytes is refused with a problem before it is sent", async () => {
    const [, id] = someAnalysis().split(":");
    const lines = [
      `POST /v1/analyses/${id}/events HTTP/1.1`,
      "Host: telltale.example",
      `Authorization: Bearer ${await publisherToken()}`,
      `Content-Length: ${8 * 1024 ** 3}`,
    ];
    const answer = await answerTo(gateway.port, lines, "{");
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain("application/problem+json");
    expect(answer).toContain("event_too_large");
  });

  test.each([
    ["of 300 lines", Array.from({ length: 300 }, (_, index) => `X-${index}: a`)],
    ["of 70 kB", [`X: ${"a".repeat(70_000)}`]],
  ])("WEB-9: a header %s is refused with 431, and the gateway goes on", async (_, more) => {
    const lines = ["GET /health HTTP/1.1", "Host: telltale.example"];
    expect(await answerTo(gateway.port, [...lines, ...more])).toStartWith("HTTP/1.1 431 ");
    expect(await answerTo(gateway.port, lines)).toStartWith("HTTP/1.1 200 ");
  });

  test.each([
    ["a length and chunks", "Transfer-Encoding: chunked"],
    ["two lengths", "Content-Length: 6"],
  ])("WEB-9: a request with %s is refused, since a proxy may read it in another way", async (_, more) => {
    const lines = ["POST /v1/notices HTTP/1.1", "Host: telltale.example", "Content-Length: 5", more];
    expect(await answerTo(gateway.port, lines, "0\r\n\r\n")).toStartWith("HTTP/1.1 400 ");
  });
});
