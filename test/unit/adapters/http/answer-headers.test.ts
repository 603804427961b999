import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { bundledPage } from "../../../../src/adapters/http/bundled-page.ts";
import { pageRoutes } from "../../../../src/adapters/http/page-routes.ts";
import demoPage from "../../../../src/web/demo/index.html";
import { statusUpdate } from "../../../support/publishing.ts";
import { appBench } from "./app-bench.ts";

const bench = () => appBench({}, new Hono().route("/", pageRoutes(bundledPage(demoPage))));

/** The directives of a Content-Security-Policy, by name. */
function policyOf(answer: Response): Record<string, string> {
  const directives = (answer.headers.get("Content-Security-Policy") ?? "").split(";");
  return Object.fromEntries(
    directives.map((directive) => {
      const [name = "", ...values] = directive.trim().split(" ");
      return [name, values.join(" ")];
    }),
  );
}

describe("the headers of an answer", () => {
  test("WEB-12: a page runs its own scripts and styles alone, is framed by nobody, and passes no address on", async () => {
    const { ask } = bench();
    const page = await ask("/", { token: null });
    const html = await page.text();
    expect(page.headers.get("Content-Type")).toStartWith("text/html");
    const policy = policyOf(page);
    expect(policy).toMatchObject({
      "default-src": "'none'",
      "script-src": "'self'",
      "style-src": "'self'",
      "base-uri": "'none'",
      "form-action": "'none'",
      "frame-ancestors": "'none'",
    });
    expect(Object.values(policy).join(" ")).not.toMatch(/unsafe|\*/);
    expect(html).not.toMatch(/<style|<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|javascript:/i);
    expect(page.headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(page.headers.get("X-Frame-Options")).toBe("DENY");
    expect(page.headers.get("Referrer-Policy")).toBe("no-referrer");
    expect(page.headers.get("Cache-Control")).toBe("no-cache");

    const assets = [...html.matchAll(/(?:src|href)="\.(\/[^"]+)"/g)].map(([, path]) => path ?? "");
    expect(assets.length).toBeGreaterThanOrEqual(2);
    for (const path of assets) {
      const asset = await ask(path, { token: null });
      expect(asset.headers.get("Content-Type")).toMatch(/^text\/(javascript|css)/);
      expect(asset.headers.get("X-Content-Type-Options")).toBe("nosniff");
      expect(asset.headers.get("Cache-Control")).toContain("immutable");
      expect((await asset.text()).length).toBeGreaterThan(1_000);
    }
    expect((await ask("/chunk-00000000.js", { token: null })).status).toBe(404);
  });

  test("WEB-12: an answer that is no page runs nothing, is framed by nobody, and is kept by no cache", async () => {
    const { ask, publish, eventsPath, analysisId } = bench();
    for (const answer of [
      await ask("/health"),
      await ask("/ready"),
      await ask("/ws/health"),
      await ask("/nowhere"),
      await ask("/ws"),
      await ask("/", { headers: { Host: "a b" } }),
      await ask(`/v1/analyses/${analysisId}`),
      await ask(eventsPath),
      await ask(eventsPath, { token: null }),
      await ask(eventsPath, { headers: { Origin: "https://evil.example" } }),
      await publish(statusUpdate()),
      await publish("{"),
    ]) {
      const { headers } = answer;
      expect(policyOf(answer)).toEqual({ "default-src": "'none'", "frame-ancestors": "'none'" });
      expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
      expect(headers.get("Referrer-Policy")).toBe("no-referrer");
      expect(headers.get("Cache-Control")).toBe("no-store");
    }
    const stream = await ask(eventsPath, { headers: { Accept: "text/event-stream" } });
    expect(stream.headers.get("Cache-Control")).toBe("no-cache, no-transform");
    expect(policyOf(stream)["default-src"]).toBe("'none'");
    await stream.body?.cancel();
  });
});
