import { parseArgs } from "node:util";
import { eventually } from "../src/testing/eventually.ts";
import { Chromium } from "../test/faults/browser/chromium.ts";
import { publisherToken, startGateway, tokenFor } from "../test/support/gateway-process.ts";
import { statusUpdate } from "../test/support/publishing.ts";
import type { SeenOnPage } from "./measured-page.ts";

/**
 * `npx bun run bench/many-on-a-page.ts`: how long a page that watches 1,000 analyses keeps the main thread of a real Chromium busy, by the
 * browser's own count. `--analyses N`, `--rate N` (events a second), `--seconds N`, `--transport sse`.
 */
const { values } = parseArgs({
  options: {
    analyses: { type: "string", default: "1000" },
    rate: { type: "string", default: "500" },
    seconds: { type: "string", default: "20" },
    transport: { type: "string", default: "websocket" },
  },
});
const [count, rate, seconds] = [Number(values.analyses), Number(values.rate), Number(values.seconds)];
/** So often in a second the worker publishes. */
const TURNS = 20;

const gateway = await startGateway({ ALLOWED_ORIGINS: "*", MAX_SUBSCRIPTIONS_PER_USER: "100000" });
const script = await pageScript();
const site = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: () =>
    new Response(
      `<!doctype html><style>p { content-visibility: auto; height: 1.5em }</style><main></main><script>${script}</script>`,
      {
        headers: { "Content-Type": "text/html" },
      },
    ),
});
const browser = await Chromium.start();
const page = await browser.openPage(site.url.href);
await page.send("Performance.enable");

const ids = Array.from({ length: count }, () => crypto.randomUUID());
const token = await tokenFor({ analyses: "*" });
const options = { url: gateway.url, token, ids, transport: values.transport };
const seen = () => page.evaluate<SeenOnPage>("page.seen()");
const opening = await measured(async () => {
  await page.evaluate(`page.begin(${JSON.stringify(options)})`);
  await eventually("all are live", async () => (await seen()).live === count, 120_000);
});
console.log(`${count} analyses, live after ${opening.seconds.toFixed(1)} s`);
const idle = await measured(() => Bun.sleep(3_000));
let sent = 0;
const busy = await measured(async () => {
  const start = performance.now();
  for (let turn = 0; turn < seconds * TURNS; turn += 1) {
    await Bun.sleep(Math.max(0, start + (turn * 1_000) / TURNS - performance.now()));
    await publishSome(rate / TURNS);
  }
  await eventually(
    () => `all ${sent} events arrive`,
    async () => (await seen()).events === sent,
    60_000,
  );
});
const { sockets } = await seen();
console.log(`nothing happens: ${idle.busy}`);
console.log(
  `${(sent / busy.seconds).toFixed(0)} events a second: ${busy.busy}; ${sockets} sockets, ${page.openRequests.length} open requests`,
);
site.stop(true);
await browser.stop();
await gateway.kill9();
process.exit(0);

/** Two events at a time, so that publishing costs less than watching. */
async function publishSome(events: number): Promise<void> {
  const headers = { Authorization: `Bearer ${await publisherToken()}` };
  const pairs = Array.from({ length: Math.round(events / 2) }, async () => {
    const number = sent;
    sent += 2;
    const id = ids[(number / 2) % count];
    const body = [1, 2].map((step) =>
      statusUpdate({ progress: ((number + step) % 100) / 100, message: `frame ${number + step}` }),
    );
    const answer = await fetch(`${gateway.url}/v1/analyses/${id}/events`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    if (answer.status !== 202) throw new Error(`${answer.status} ${await answer.text()}`);
  });
  await Promise.all(pairs);
}

async function measured(deed: () => Promise<unknown>): Promise<{ seconds: number; busy: string }> {
  const [from, at] = [await busyMs(), performance.now()];
  await deed();
  const seconds = (performance.now() - at) / 1_000;
  const { all, script } = await busyMs();
  const share = (milliseconds: number) => (milliseconds / seconds).toFixed(1);
  const busy = `${share(all - from.all)} ms of main-thread time a second, ${share(script - from.script)} of scripts`;
  return { seconds, busy };
}

/** Milliseconds of the page's main thread since it was opened: all tasks, and those of scripts alone. */
async function busyMs(): Promise<{ readonly all: number; readonly script: number }> {
  const { metrics } = (await page.send("Performance.getMetrics")) as {
    metrics: { name: string; value: number }[];
  };
  const of = (wanted: string) => (metrics.find(({ name }) => name === wanted)?.value ?? Number.NaN) * 1_000;
  return { all: of("TaskDuration"), script: of("ScriptDuration") };
}

async function pageScript(): Promise<string> {
  const entry = new URL("measured-page.ts", import.meta.url).pathname;
  const { outputs } = await Bun.build({
    entrypoints: [entry],
    target: "browser",
    format: "iife",
    minify: true,
  });
  return (outputs[0] as Blob).text();
}
