import { expect, test } from "bun:test";
import type { WatchOptions } from "../../../../src/client/watch/watch-options.ts";
import { ScriptedGateway } from "./scripted-gateway.ts";

test.each<[string, Record<string, unknown>]>([
  ["url", { url: undefined }],
  ["url", { url: "" }],
  ["url", { url: "/telltale" }],
  ["url", { url: "gateway.example" }],
  ["url", { url: "ftp://gateway.example" }],
  ["url", { url: "https://gateway.example?tenant=a" }],
  ["url", { url: "https://gateway.example/#a" }],
  ["url", { url: "https://user:secret@gateway.example" }],
  ["url", { url: "https://gateway example" }],
  ["analysisId", { analysisId: undefined }],
  ["analysisId", { analysisId: null }],
  ["analysisId", { analysisId: "" }],
  ["token", { token: undefined }],
  ["token", { token: null }],
  ["token", { token: "" }],
  ["until", { until: "end" }],
  ["conflate", { conflate: "all" }],
])("watch() throws a TypeError that names the %s, if the options have %p", (name, options) => {
  const gateway = new ScriptedGateway();
  expect(() => gateway.watch(options as Partial<WatchOptions>)).toThrow(
    new TypeError(`watch: wrong ${name}`),
  );
  expect(gateway.leftovers).toBe(0);
});

test.each([
  ["https://gateway.example/telltale/", "wss://gateway.example/telltale/ws"],
  ["wss://gateway.example:8443", "wss://gateway.example:8443/ws"],
  ["http://[::1]:8000//", "ws://[::1]:8000/ws"],
])("watch() takes %s", async (url, socketUrl) => {
  const gateway = new ScriptedGateway();
  const watch = gateway.watch({ url });
  expect((await gateway.socket()).url).toStartWith(`${socketUrl}?`);
  watch.close();
});
