import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { answerTo, RawRequest, requestText, upgradeLines } from "../support/raw-request.ts";
import { runtimeDifferences } from "../support/runtime-differences.ts";
import { type ServedApp, servedApp } from "../support/served-app.ts";

/** The target of a request, as it is on the wire: the runtime makes a URL of it only if it likes the Host header. */
describe("the target of a request", () => {
  let served: ServedApp;

  beforeAll(async () => {
    served = await servedApp();
  });
  afterAll(() => served.stop());

  /** Status and `code` of the answer, the ways of naming no host first. */
  const outcomes = async (method: string, target: string, more: readonly string[] = []) => {
    const asked = [
      [`${method} ${target} HTTP/1.0`],
      [`${method} ${target} HTTP/1.1`, "Host:"],
      [`${method} ${target} HTTP/1.1`, "Host: telltale.example"],
    ];
    const seen: string[] = [];
    for (const lines of asked) {
      const request = new RawRequest(served.port, requestText([...lines, "Connection: close", ...more]));
      const answer = await request.closed();
      seen.push(`${answer.split(" ")[1]} ${/"code":"(\w+)"/.exec(answer)?.[1] ?? "good"}`);
    }
    return seen;
  };
  const thrice = (outcome: string) => [outcome, outcome, outcome];

  test.each([
    ["/ready", "200 good"],
    ["/ready?a=/b", "200 good"],
    ["/ready#a", "200 good"],
    ["http://elsewhere.example/ready", "200 good"],
    ["HTTP://ELSEWHERE.example:80/ready", "200 good"],
    ["/%72eady", "200 good"],
    ["/a/../ready", "200 good"],
    ["/../ready", "200 good"],
    ["//ready", "404 not_found"],
    ["/zz/ready", "404 not_found"],
    ["//elsewhere.example/ready", "404 not_found"],
    ["/\\ready", "404 not_found"],
    ["/ready/", "404 not_found"],
    ["/", "404 not_found"],
    ["/%", "404 not_found"],
    ["/\u00e9", runtimeDifferences.targetNotAscii],
    [`/${"a".repeat(8_000)}`, "404 not_found"],
    ["/ws", "426 upgrade_required"],
    ["ready", "400 good"],
    ["*", "400 good"],
  ])("WEB-8: %s is routed by its path, whether or not a host is named", async (target, outcome) => {
    expect(await outcomes("GET", target)).toEqual(thrice(outcome));
  });

  test("WEB-8: an analysis is read at its own path alone, and query and body come with it", async () => {
    const { analysisId } = served;
    const state = `/v1/analyses/${analysisId}`;
    const token = ["Authorization: Bearer watcher"];
    expect(await outcomes("GET", state, token)).toEqual(thrice("200 good"));
    expect(await outcomes("GET", `${state}?token=watcher`)).toEqual(thrice("200 good"));
    expect(await outcomes("GET", `${state}/events?limit=0`, token)).toEqual(thrice("400 invalid_query"));
    expect(await outcomes("GET", `/zz${state}`, token)).toEqual(thrice("404 not_found"));
    expect(await outcomes("GET", `/${state}`, token)).toEqual(thrice("404 not_found"));
    expect(await outcomes("GET", `${state}/`, token)).toEqual(thrice("404 not_found"));
    expect(await outcomes("HEAD", state, token)).toEqual(thrice("200 good"));
    const body = '{"viewers":"*"}';
    const put = requestText(
      [`PUT ${state} HTTP/1.0`, "Authorization: Bearer publisher", `Content-Length: ${body.length}`],
      body,
    );
    expect(await new RawRequest(served.port, put).closed()).toStartWith("HTTP/1.1 204 ");
    expect((await served.elsewhere.snapshot(served.channel)).viewers).toBe("*");
  });

  test("WEB-8: an upgrade is for its path, whether or not a host is named", async () => {
    for (const hosts of [["Host: telltale.example"], ["Host:"], ["Host:  "]]) {
      const upgrade = (target: string) => answerTo(served.port, upgradeLines(target, hosts));
      expect(await upgrade("/ws")).toStartWith("HTTP/1.1 101 ");
      expect(await upgrade(`/ws/analysis/${served.analysisId}?token=watcher`)).toStartWith("HTTP/1.1 101 ");
      expect(await upgrade(`/zz/ws/analysis/${served.analysisId}`)).toStartWith("HTTP/1.1 404 ");
      expect(await upgrade("//ws")).toStartWith("HTTP/1.1 404 ");
    }
  });

  test.each([
    "a b",
    "[::",
    "%",
    "a/b",
    "a?b",
    "a#b",
    "a\\b",
    "user@telltale.example",
    "telltale.example:99999",
    "telltale.example:80:80",
    "\u00e9",
    "a, b",
    "a\r\nHost: b",
  ])("WEB-9: the Host header %j names no host, which is 400 for a request and an upgrade", async (host) => {
    const lines = ["GET /ready HTTP/1.1", `Host: ${host}`];
    const answer = await answerTo(served.port, lines);
    expect(answer).toMatch(/^HTTP\/1.1 400 .*"code":"bad_host"/s);
    expect(await answerTo(served.port, upgradeLines("/ws", [`Host: ${host}`]))).toStartWith("HTTP/1.1 400 ");
  });

  test.each([
    "telltale.example",
    "TELLTALE.example.:8000",
    "my_service:65535",
    "10.0.0.1:8000",
    "[::1]",
    "[2001:DB8::1]:443",
    "xn--bcher-kva.example",
  ])("WEB-9: the Host header %s names a host", async (host) => {
    expect(await answerTo(served.port, ["GET /ready HTTP/1.1", `Host: ${host}`])).toStartWith(
      "HTTP/1.1 200 ",
    );
  });

  test("WEB-9: an address longer than any header may be is refused, and the gateway goes on", async () => {
    const long = await answerTo(served.port, [`GET /${"a".repeat(100_000)} HTTP/1.1`, "Host: a"]);
    expect(long).toStartWith("HTTP/1.1 431 ");
    expect(await answerTo(served.port, ["GET /ready HTTP/1.1", "Host: a"])).toStartWith("HTTP/1.1 200 ");
  });
});
