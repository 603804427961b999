import { describe, expect, test } from "bun:test";
import { clientScript } from "../../../../src/gateway/client-script.ts";
import { appBench, codeOf } from "./app-bench.ts";

describe("GET /client.js", () => {
  const bench = (text?: string) => appBench({}, undefined, { clientScript: async () => text });

  test("WEB-13: is an ES module that a page of any origin may load and keep for a while, without a token", async () => {
    const { ask } = bench("export const watch = 1;");
    const answer = await ask("/client.js", { token: null, headers: { Origin: "https://elsewhere.example" } });
    expect([answer.status, await answer.text()]).toEqual([200, "export const watch = 1;"]);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": "text/javascript;charset=utf-8",
      "access-control-allow-origin": "*",
      "cross-origin-resource-policy": "cross-origin",
      "cache-control": "public, max-age=300, stale-while-revalidate=86400",
      etag: expect.stringMatching(/^"[\w-]{16}"$/),
    });
  });

  test("WEB-13: is 304 to a client that has this very script", async () => {
    const { ask } = bench("one");
    const tag = (await ask("/client.js")).headers.get("ETag") ?? "";
    const again = (value: string) => ask("/client.js", { headers: { "If-None-Match": value } });
    for (const value of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
      const answer = await again(value);
      expect([answer.status, await answer.text(), answer.headers.get("ETag")]).toEqual([304, "", tag]);
    }
    expect((await again('"other"')).status).toBe(200);
    expect((await bench("two").ask("/client.js")).headers.get("ETag")).not.toBe(tag);
  });

  test("WEB-13: is compressed for a client that takes it so, and apart in caches", async () => {
    const text = "export const watch = 1;".repeat(1_000);
    const { ask } = bench(text);
    const answer = await ask("/client.js", { headers: { "Accept-Encoding": "br, gzip" } });
    expect(answer.headers.get("Vary")).toContain("Accept-Encoding");
    expect(answer.headers.get("Content-Encoding")).toBe("gzip");
    const bytes = Bun.gunzipSync(await answer.arrayBuffer());
    expect(new TextDecoder().decode(bytes)).toBe(text);
    const headers = { "If-None-Match": answer.headers.get("ETag") ?? "" };
    expect((await ask("/client.js", { headers })).status).toBe(304);
  });

  test("WEB-13: answers HEAD with its headers alone", async () => {
    const answer = await bench("one").ask("/client.js", { method: "HEAD" });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
    expect(answer.headers.get("ETag")).toBeTruthy();
  });

  test("WEB-13: is 404 with the reason if nobody built it, and is served once somebody has", async () => {
    let text: string | undefined;
    const { ask } = appBench({}, undefined, { clientScript: async () => text });
    expect(await codeOf(await ask("/client.js"))).toEqual([404, "not_found"]);
    text = "built";
    expect((await ask("/client.js")).status).toBe(200);
  });

  test("WEB-13: is bundled of the sources, with its exports and nothing to load", async () => {
    const text = (await clientScript()) ?? "";
    expect(new Bun.Transpiler({ loader: "js" }).scan(text)).toMatchObject({
      imports: [],
      exports: expect.arrayContaining([expect.stringMatching(/^watch/)]),
    });
  });
});
