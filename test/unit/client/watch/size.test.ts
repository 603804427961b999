import { expect, test } from "bun:test";

const ROOT = new URL("../../../..", import.meta.url).pathname;

/** Bytes of a module of `src/client` with all that it imports, minified and gzipped. */
async function sizeOf(text: string, external: string[] = []): Promise<number> {
  const entry = `${ROOT}src/client/measured.ts`;
  const { outputs } = await Bun.build({
    entrypoints: [entry],
    files: { [entry]: text },
    target: "browser",
    minify: true,
    external,
  });
  return Bun.gzipSync(await (outputs[0] as Blob).text(), { level: 9 }).byteLength;
}

test("the browser SDK, three transports and the fold, has at most 6 KB, minified and gzipped", async () => {
  const whole = await Bun.file(`${ROOT}src/client/sdk.ts`).text();
  expect(await sizeOf(whole)).toBeLessThanOrEqual(6 * 1024);
});

test("client.js, the SDK and the element, has at most 12 KB", async () => {
  const element = `export * from "../web/client-script.ts";`;
  expect(await sizeOf(element)).toBeLessThanOrEqual(12 * 1024);
});

test("its core, one transport without the fold, has at most 4 KB", async () => {
  const core = `
    import { watchOver } from "./watch/watch.ts";
    import { webSocket } from "./watch/web-socket-transport.ts";
    export const watch = watchOver(() => ({ next: () => webSocket, worked() {}, failed() {}, forget() {} }));
  `;
  expect(await sizeOf(core, ["../../domain/*"])).toBeLessThanOrEqual(4 * 1024);
});

test("telltale-client/tabs, which a page loads beside it if it shares, has at most 7.5 KB", async () => {
  expect(await sizeOf(`export * from "./tabs/tabs.ts";`)).toBeLessThanOrEqual(7.5 * 1024);
});
